//! Errors of temporary files in `TMPDIR`: they name the directory, and a way out where it is full.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Makes a temporary file without a name in `TMPDIR`.
pub(super) fn file() -> Result<File> {
    tempfile::tempfile().map_err(unwritable)
}

/// Returns the error of a temporary file in `TMPDIR` that can't be made or written.
pub(super) fn unwritable(source: io::Error) -> Error {
    unwritable_in(&std::env::temp_dir(), source).hint("set TMPDIR to an existing directory with enough free space")
}

/// Returns the error of a temporary file that can't be made or written in the directory of its target.
pub(super) fn unwritable_in(directory: &Path, source: io::Error) -> Error {
    let text = format!("could not write a temporary file in `{}`", directory.display());
    Error::new(ErrorKind::Local, text).caused_by(source)
}
