//! A file that arrives: taken down beside its place, and put there when all of it has come.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memmem;
use tempfile::NamedTempFile;

use super::super::watch::Watch;
use super::script::CONTENT;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Stream;
use crate::transport::Answer;

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
    /// Looks for the line that says what comes, behind what a login may print; returns what is behind it.
    fn find_head(&mut self, bytes: &[u8]) -> Option<(String, Vec<u8>)> {
        self.head.extend_from_slice(bytes);
        let Some(start) = memmem::find(&self.head, CONTENT.as_bytes()) else {
            // What is kept is enough for a mark that comes in pieces.
            self.head.drain(..self.head.len().saturating_sub(CONTENT.len()));
            return None;
        };
        let line = self.head.get(start + CONTENT.len()..)?;
        let end = memchr::memchr(b'\n', line)?;
        let (line, rest) = line.split_at(end);
        let found = (String::from_utf8_lossy(line).into_owned(), rest.get(1..).unwrap_or_default().to_vec());
        self.head = Vec::new();
        Some(found)
    }

    /// Opens a file beside the place, for what the line says.
    fn begin(&mut self, line: &str) -> Result<NamedTempFile> {
        let (mode, size) = line.split_once(' ').unwrap_or_default();
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
        open().map_err(|source| not_written(&self.place, source))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let found;
        let content = if self.file.is_some() {
            bytes
        } else {
            let Some((line, rest)) = self.find_head(bytes) else { return Ok(()) };
            self.file = Some(self.begin(&line)?);
            found = rest;
            &found
        };
        self.arrived += content.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(content).map_err(|source| not_written(&self.place, source)),
            None => Ok(()),
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
    fn heard(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        let mut state = self.0.state();
        if stream == Stream::Stdout
            && state.failure.is_none()
            && let Err(error) = state.take(bytes)
        {
            state.failure = Some(error);
            state.file = None;
            answer.stop();
        }
    }

    fn failure(&self) -> Option<Error> {
        self.0.state().failure.clone()
    }
}
