//! What a reader gives: read once, and kept so that several hosts get it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// What a reader gives, or has given: it is read once and kept in an unlinked temporary file.
#[derive(Clone)]
pub struct ReadOnce(Arc<Mutex<State>>);

enum State {
    Unread(Box<dyn Read + Send>),
    Read(Arc<File>, u64),
    /// It could not be read, which can't be tried again.
    Broken,
}

impl ReadOnce {
    pub(super) fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State::Unread(Box::new(reader)))))
    }

    /// Returns the file in which all of it is, and its size; who comes meanwhile waits. It belongs on a blocking thread.
    pub(super) fn file(&self) -> Result<(Arc<File>, u64)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match std::mem::replace(&mut *state, State::Broken) {
            State::Unread(reader) => reader,
            State::Read(file, size) => {
                *state = State::Read(Arc::clone(&file), size);
                return Ok((file, size));
            }
            State::Broken => return Err(Error::new(ErrorKind::Local, "a reader could not be read before")),
        };
        let read = tempfile::tempfile().and_then(|mut file| Ok((std::io::copy(&mut reader, &mut file)?, file)));
        let (size, file) =
            read.map_err(|source| Error::new(ErrorKind::Local, "could not read a reader").caused_by(source))?;
        let file = Arc::new(file);
        *state = State::Read(Arc::clone(&file), size);
        Ok((file, size))
    }
}

impl fmt::Display for ReadOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a reader gives")
    }
}

impl fmt::Debug for ReadOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
