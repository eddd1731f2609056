//! [`OutputSpool`]: output of the host for a slower local program, buffered in an unnamed file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;
use tokio::sync::Notify;

use crate::connection::Watcher;
use crate::error::Error;
use crate::event::Stream;
use crate::mutex::lock;
use crate::transfer::temporary;
use crate::transport::Answer;

/// The size in bytes of one write.
const CHUNK_SIZE: usize = 64 << 10;

/// The output that the local program has not read yet. The size has no limit.
#[derive(Debug, Clone)]
pub(super) struct OutputSpool(Arc<SpoolFile>);

#[derive(Debug)]
struct SpoolFile {
    file: File,
    state: Mutex<SpoolState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct SpoolState {
    /// The end of the written bytes and of the read bytes. Both restart at 0 when all is read.
    written: u64,
    read: u64,
    is_finished: bool,
    failure: Option<Error>,
}

impl OutputSpool {
    pub(super) fn new(file: File) -> Self {
        Self(Arc::new(SpoolFile { file, state: Mutex::default(), changed: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, SpoolState> {
        lock(&self.0.state)
    }

    /// Writes all output to the pipe, until the end of the output or until the reader closes the
    /// pipe.
    pub(super) async fn drain_to(&self, mut to: Sender) {
        let mut chunk = vec![0; CHUNK_SIZE];
        loop {
            let changed = self.0.changed.notified();
            match self.read(&mut chunk) {
                Some(0) => changed.await,
                Some(count) if to.write_all(chunk.get(..count).unwrap_or_default()).await.is_ok() => {}
                _ => return,
            }
        }
    }

    /// Reads waiting output. Returns 0 if there is none yet, and `None` at the end.
    fn read(&self, chunk: &mut [u8]) -> Option<usize> {
        let mut state = self.state();
        let waiting = usize::try_from(state.written - state.read).unwrap_or(usize::MAX).min(chunk.len());
        if waiting == 0 {
            (state.written, state.read) = (0, 0);
            return (!state.is_finished).then_some(0);
        }
        // Blocking is short: the bytes are in the page cache, or on a local disk.
        self.0.file.read_exact_at(chunk.get_mut(..waiting)?, state.read).ok()?;
        state.read += waiting as u64;
        Some(waiting)
    }
}

impl Watcher for OutputSpool {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream == Stream::Stderr {
            return;
        }
        let mut state = self.state();
        match self.0.file.write_all_at(bytes, state.written) {
            Ok(()) => state.written += bytes.len() as u64,
            Err(source) => {
                state.failure = Some(temporary::unwritable(source));
                state.is_finished = true;
                answer.stop();
            }
        }
        drop(state);
        self.0.changed.notify_one();
    }

    fn failure(&self) -> Option<Error> {
        self.state().failure.clone()
    }

    fn ended(&mut self) {
        self.state().is_finished = true;
        self.0.changed.notify_one();
    }
}
