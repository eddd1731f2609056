//! A file that arrives: taken down beside its place, and put there when all of it has come.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};

/// One file on its way to its place on this machine.
#[derive(Debug, Clone)]
pub(super) struct Arrival(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    place: PathBuf,
    mode: Option<u32>,
    file: Option<NamedTempFile>,
    expected: u64,
    arrived: u64,
}

impl Arrival {
    /// Prepares for a file; nothing is made until it comes.
    pub(super) fn new(place: PathBuf, mode: Option<u32>) -> Self {
        Self(Arc::new(Mutex::new(State { place, mode, file: None, expected: 0, arrived: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file beside the place, for as much as is expected; `mode` is the one it has there.
    pub(super) fn begin(&self, mode: Option<u32>, size: u64) -> Result<()> {
        let mut state = self.state();
        let mode = state.mode.or(mode).unwrap_or(0o644) & 0o777;
        let file = beside(&state.place, mode).map_err(|source| not_written(&state.place, source))?;
        state.file = Some(file);
        state.expected = size;
        Ok(())
    }

    /// Takes a piece of the content down; what comes after a failure is nothing to it.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.arrived += bytes.len() as u64;
        let State { file: Some(file), place, .. } = &mut *state else { return Ok(()) };
        file.write_all(bytes).map_err(|source| not_written(place, source))
    }

    /// Tells whether the content has begun to come.
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

/// Makes a temporary file beside a place, with the folders around it.
fn beside(place: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let file = tempfile::Builder::new().prefix(".fabrs.").tempfile_in(folder)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(file)
}

fn not_written(place: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Local, format!("could not write `{}`", place.display())).caused_by(source)
}
