//! [`IncomingFile`]: a file during its download, on disk under a temporary name or in memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use super::local_file::{LocalFile, NewMode};
use super::local_path::LocalPath;
use super::progress_counter::ProgressCounter;
use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;

/// The mode of a file whose mode the host does not report.
const UNKNOWN_MODE: u32 = 0o644;

/// A file during its download.
#[derive(Debug, Clone)]
pub(crate) struct IncomingFile(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    destination: DownloadTarget,
    /// The mode on the host, if the host reports a mode.
    mode: Option<u32>,
    received: Option<Received>,
    expected_bytes: u64,
    received_bytes: u64,
    make_progress: Option<MakeProgress>,
    progress: Option<Arc<ProgressCounter>>,
}

/// A function that creates the progress counter for a size in bytes.
struct MakeProgress(Box<dyn FnOnce(u64) -> Arc<ProgressCounter> + Send>);

impl fmt::Debug for MakeProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeProgress")
    }
}

/// The destination of the content.
#[derive(Debug)]
enum DownloadTarget {
    File { path: LocalPath, mode: Option<u32> },
    Memory { limit: u64 },
}

/// The received content.
#[derive(Debug)]
enum Received {
    File(LocalFile),
    Bytes(Vec<u8>),
}

impl IncomingFile {
    /// Creates a download to a local file. No file is created before [`begin`](Self::begin).
    pub(crate) fn new(path: LocalPath, mode: Option<u32>) -> Self {
        Self::at(DownloadTarget::File { path, mode })
    }

    /// Sets the progress counter, created by `progress` for the size in bytes.
    pub(crate) fn with_progress(self, progress: impl FnOnce(u64) -> Arc<ProgressCounter> + Send + 'static) -> Self {
        self.state().make_progress = Some(MakeProgress(Box::new(progress)));
        self
    }

    /// Creates a download into memory. A content of more than `limit` bytes is an error.
    pub(crate) fn in_memory(limit: u64) -> Self {
        Self::at(DownloadTarget::Memory { limit })
    }

    fn at(destination: DownloadTarget) -> Self {
        Self(Arc::new(Mutex::new(State {
            destination,
            mode: None,
            received: None,
            expected_bytes: 0,
            received_bytes: 0,
            make_progress: None,
            progress: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Starts the content, with the `mode` on the host and the `size` in bytes. Creates the
    /// temporary file.
    pub(crate) fn begin(&self, mode: Option<u32>, size: u64) -> Result<()> {
        let mut state = self.state();
        (state.mode, state.expected_bytes) = (mode, size);
        state.progress = state.make_progress.take().map(|make| make.0(size));
        state.received = Some(match &state.destination {
            DownloadTarget::File { path, mode: given } => {
                let of_host = NewMode::OfHost(mode.unwrap_or(UNKNOWN_MODE));
                Received::File(LocalFile::create(path, given.map_or(of_host, NewMode::Exact))?)
            }
            DownloadTarget::Memory { limit } if size <= *limit => Received::Bytes(Vec::new()),
            DownloadTarget::Memory { limit } => {
                return Err(Error::new(ErrorKind::File, format!("{size} bytes exceed the limit of {limit} bytes")));
            }
        });
        Ok(())
    }

    /// Appends received bytes. After a failure, bytes are counted and discarded.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.received_bytes += bytes.len() as u64;
        if let Some(progress) = &state.progress {
            progress.add(bytes.len());
        }
        if state.received.is_some() && state.received_bytes > state.expected_bytes {
            return Err(Error::new(ErrorKind::File, "the file is longer than announced"));
        }
        match &mut state.received {
            Some(Received::File(file)) => file.write(bytes),
            Some(Received::Bytes(received)) => {
                received.extend_from_slice(bytes);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Returns true if the content has started.
    pub(crate) fn has_started(&self) -> bool {
        self.state().received.is_some()
    }

    /// Returns true if the mode denies access to other users. An unknown mode counts as private.
    pub(crate) fn is_private(&self) -> bool {
        const READ_BY_OTHERS: u32 = 0o004;
        self.state().mode.is_none_or(|mode| mode & READ_BY_OTHERS == 0)
    }

    /// Returns true if the content is larger than the limit.
    pub(crate) fn is_too_large(&self) -> bool {
        let state = self.state();
        matches!(state.destination, DownloadTarget::Memory { limit } if state.expected_bytes > limit)
    }

    /// Removes the received content.
    pub(crate) fn discard(&self) {
        self.state().received = None;
    }

    /// Renames the complete file to its target. Returns true if the target has changed.
    pub(crate) fn persist(&self) -> Result<bool> {
        match self.state().take_complete()? {
            Received::File(file) => file.persist(),
            Received::Bytes(_) => Ok(true),
        }
    }

    /// Returns the complete content of a download into memory.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>> {
        match self.state().take_complete()? {
            Received::Bytes(bytes) => Ok(bytes),
            Received::File(_) => Ok(Vec::new()),
        }
    }
}

impl State {
    /// Returns the received content, or an error for an incomplete content.
    fn take_complete(&mut self) -> Result<Received> {
        self.progress = None;
        let (received_bytes, expected_bytes) = (self.received_bytes, self.expected_bytes);
        let Some(received) = self.received.take() else {
            return Err(Error::new(ErrorKind::File, "the file is missing from the stream"));
        };
        if received_bytes == expected_bytes {
            Ok(received)
        } else {
            Err(Error::new(ErrorKind::File, format!("received {received_bytes} of {expected_bytes} bytes")))
        }
    }
}
