//! [`ReadOnce`]: the content of a reader, read once and kept in a file for several hosts.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::sync::{Arc, Mutex};

use super::temporary;
use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;

/// The size in bytes of one read.
const CHUNK_SIZE: usize = 256 << 10;

/// The content of a reader, read at most once and kept in an unlinked temporary file.
#[derive(Clone)]
pub struct ReadOnce(Arc<Mutex<State>>);

enum State {
    Unread(Box<dyn Read + Send>),
    Read(Arc<File>, u64),
    /// The content could not be read or kept. A reader can't be read again.
    Failed(Error),
}

impl ReadOnce {
    pub(crate) fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State::Unread(Box::new(reader)))))
    }

    /// Returns the file with the content, and the size in bytes. The first call reads the content,
    /// and concurrent calls wait. This blocks.
    pub(crate) fn file(&self) -> Result<(Arc<File>, u64)> {
        let mut state = lock(&self.0);
        let kept = match &mut *state {
            State::Unread(reader) => keep(reader),
            State::Read(file, size) => return Ok((Arc::clone(file), *size)),
            State::Failed(error) => return Err(error.clone()),
        };
        match kept {
            Ok((file, size)) => {
                let file = Arc::new(file);
                *state = State::Read(Arc::clone(&file), size);
                Ok((file, size))
            }
            Err(error) => {
                *state = State::Failed(error.clone());
                Err(error)
            }
        }
    }
}

/// Copies the content of a reader to a temporary file. Returns the file and its size in bytes.
fn keep(reader: &mut dyn Read) -> Result<(File, u64)> {
    let mut file = temporary::file()?;
    let (mut size, mut buffer) = (0, vec![0; CHUNK_SIZE]);
    loop {
        // `io::copy` does not distinguish an error of the reader from an error of the file.
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok((file, size)),
            Ok(count) => count,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::new(ErrorKind::Local, "could not read the source").caused_by(source)),
        };
        file.write_all(buffer.get(..count).unwrap_or_default()).map_err(temporary::unwritable)?;
        size += count as u64;
    }
}

impl fmt::Display for ReadOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reader")
    }
}

impl fmt::Debug for ReadOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
