//! Prints pages to stdout.

use std::io::{self, Write};

use fabrs_core::{Error, ErrorKind, Result};

/// Prints a page to stdout. A reader that went away (`| head -1`) is no error.
pub(crate) fn print(page: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(page.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Local, "could not write to stdout").caused_by(source))
        }
        _ => Ok(()),
    }
}
