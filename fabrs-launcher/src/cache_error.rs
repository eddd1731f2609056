//! The error for a cache file that could not be written.

use std::io;
use std::path::Path;

use fabrs_core::{Error, ErrorKind};

/// Returns the error for a file or folder of the cache that could not be written.
pub(crate) fn write_error(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Local, format!("could not write `{}`", path.display()))
        .caused_by(error)
        .hint("set `FABRS_CACHE` to another folder for compiled tools")
}
