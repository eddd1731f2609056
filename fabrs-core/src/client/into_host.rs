//! [`IntoHost`]: conversion of a text or a [`Host`] into a host.

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

/// A type convertible into a host: a text, or a [`Host`].
pub trait IntoHost {
    /// Parses or returns the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the text is not a valid host.
    fn into_host(self) -> Result<Host>;
}

impl IntoHost for Host {
    fn into_host(self) -> Result<Host> {
        Ok(self)
    }
}

impl IntoHost for &Host {
    fn into_host(self) -> Result<Host> {
        Ok(self.clone())
    }
}

impl IntoHost for &str {
    fn into_host(self) -> Result<Host> {
        self.parse().map_err(|source| Error::new(ErrorKind::Usage, "invalid host").caused_by(source))
    }
}

impl IntoHost for String {
    fn into_host(self) -> Result<Host> {
        self.as_str().into_host()
    }
}

impl IntoHost for &String {
    fn into_host(self) -> Result<Host> {
        self.as_str().into_host()
    }
}
