//! Prints a page to stdout, as for `--help` and `--list`.

use std::io::{self, Write};

use fabrs_core::{Error, ErrorKind, Result};

/// Prints a page to stdout. A closed pipe (`| head -1`) is not an error.
///
/// # Errors
///
/// [`ErrorKind::Local`] for every other write error.
pub(crate) fn print(page: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(page.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Local, "could not write to stdout").caused_by(source))
        }
        _ => Ok(()),
    }
}
