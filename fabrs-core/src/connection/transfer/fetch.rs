//! A file that arrives: taken down beside its place, and put there when all of it has come.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::super::watch::Watch;
use super::script::CONTENT;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Stream;
use crate::transport::Answer;

/// A line longer than this is not the one that says what comes.
const LONGEST: usize = 256;

/// One file on its way to its place on this machine.
#[derive(Debug, Clone)]
pub(super) struct Arrival(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    place: PathBuf,
    mode: Option<u32>,
    /// What came before the content.
    head: Vec<u8>,
    file: Option<NamedTempFile>,
    expected: u64,
    arrived: u64,
    failure: Option<Error>,
}

impl Arrival {
    /// Prepares for a file; nothing is made until it comes.
    pub(super) fn new(place: PathBuf, mode: Option<u32>) -> Self {
        let state = State { place, mode, head: Vec::new(), file: None, expected: 0, arrived: 0, failure: None };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether anything of the content has come.
    pub(super) fn has_begun(&self) -> bool {
        self.state().file.is_some()
    }

    /// Removes what has come so far.
    pub(super) fn give_up(&self) {
        self.state().file = None;
    }

    /// Puts the file into its place, if all of it has come.
    pub(super) fn land(&self) -> Result<()> {
        let mut state = self.state();
        let (arrived, expected) = (state.arrived, state.expected);
        let Some(file) = state.file.take() else {
            return Err(Error::new(ErrorKind::File, "nothing of it has come"));
        };
        if arrived != expected {
            return Err(Error::new(ErrorKind::File, format!("{arrived} of {expected} bytes have come")));
        }
        file.persist(&state.place).map(drop).map_err(|source| not_written(&state.place, source.error))
    }
}

impl State {
    /// Reads the line that says what comes, and opens a file beside the place.
    fn begin(&mut self) -> Result<()> {
        let line = String::from_utf8_lossy(&self.head).into_owned();
        let Some((mode, size)) = line.trim_end().strip_prefix(CONTENT).and_then(|rest| rest.split_once(' ')) else {
            return Ok(());
        };
        self.expected = size.trim().parse().unwrap_or(u64::MAX);
        let mode = self.mode.or(u32::from_str_radix(mode, 8).ok()).unwrap_or(0o644) & 0o777;
        let folder = match self.place.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let open = || {
            std::fs::create_dir_all(folder)?;
            let file = tempfile::Builder::new().prefix(".fabrs.").tempfile_in(folder)?;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
            Ok(file)
        };
        self.file = Some(open().map_err(|source| not_written(&self.place, source))?);
        Ok(())
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.file.is_none() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (head, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.head.extend_from_slice(head);
            if end.is_none() || self.head.len() > LONGEST {
                return Ok(());
            }
            self.begin()?;
            self.head.clear();
            bytes = rest;
        }
        match &mut self.file {
            Some(file) => {
                self.arrived += bytes.len() as u64;
                file.write_all(bytes).map_err(|source| not_written(&self.place, source))
            }
            // A login that greets says something before.
            None if bytes.is_empty() => Ok(()),
            None => self.take(bytes),
        }
    }
}

fn not_written(place: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Local, format!("could not write `{}`", place.display())).caused_by(source)
}

/// Takes an arriving file down.
#[derive(Debug)]
pub(super) struct Fetch(Arrival);

impl Fetch {
    pub(super) fn new(arrival: &Arrival) -> Self {
        Self(arrival.clone())
    }
}

impl Watch for Fetch {
    /// Writes to a file while the channel is emptied, as the spool of a slow terminal does: what waits for it is in the
    /// system's memory and not in ours.
    fn heard(&mut self, stream: Stream, bytes: &[u8], _: &mut Answer) {
        let mut state = self.0.state();
        if stream == Stream::Stdout
            && state.failure.is_none()
            && let Err(error) = state.take(bytes)
        {
            state.failure = Some(error);
            state.file = None;
        }
    }

    fn failure(&self) -> Option<Error> {
        self.0.state().failure.clone()
    }
}
