//! [`Tee`]: copies the output of a command to a file of this machine.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Sink};
use crate::host::Host;

/// A writer for both streams of a command.
#[derive(Debug)]
pub(super) struct Tee {
    path: PathBuf,
    /// The open file, or `None` after the first failed write.
    file: Option<File>,
}

impl Tee {
    /// Creates the file, or empties an existing file.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|source| {
            Error::new(ErrorKind::Local, format!("could not write `{}`", path.display())).caused_by(source)
        })?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    /// Appends bytes. A failed write emits a warning, since the command itself did not fail.
    pub(super) fn write(&mut self, bytes: &[u8], host: &Host, sink: &dyn Sink) {
        let Some(file) = &mut self.file else { return };
        if let Err(source) = file.write_all(bytes) {
            let text = format!("`{}` does not contain all of the output: {source}", self.path.display());
            sink.event(&Event::Warning { host: Some(host), text: &text });
            self.file = None;
        }
    }
}
