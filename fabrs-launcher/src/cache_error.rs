//! The error for a file of the cache that can't be written.

use std::io;
use std::path::Path;

use fabrs_core::{Error, ErrorKind};

/// Says that something in the cache could not be written.
pub(crate) fn write_error(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Local, format!("could not write `{}`", path.display()))
        .caused_by(error)
        .hint("`FABRS_CACHE=FOLDER` puts what `fab` compiles somewhere else")
}
