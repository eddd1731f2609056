//! Temporary files in `TMPDIR`, and write errors that name the directory.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Creates an unnamed temporary file in `TMPDIR`.
pub(crate) fn file() -> Result<File> {
    tempfile::tempfile().map_err(unwritable)
}

/// Creates the error of a failed write in `TMPDIR`.
pub(crate) fn unwritable(source: io::Error) -> Error {
    unwritable_in(&std::env::temp_dir(), source).hint("set TMPDIR to an existing directory with enough free space")
}

/// Creates the error of a failed write of a temporary file in `directory`.
pub(crate) fn unwritable_in(directory: &Path, source: io::Error) -> Error {
    let text = format!("could not write a temporary file in `{}`", directory.display());
    Error::new(ErrorKind::Local, text).caused_by(source)
}
