//! [`TransferContext`]: the connection, the rights and the source location of a file operation.

use std::panic::Location;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::event::Event;

/// The connection, the rights and the source location of a file operation.
#[derive(Debug, Clone)]
pub(crate) struct TransferContext {
    pub(crate) connection: Connection,
    /// True if the transfer runs under sudo.
    pub(crate) elevated: bool,
    pub(crate) location: &'static Location<'static>,
    /// True if reads only prepare a transfer. The transfer reports the result.
    pub(crate) is_check: bool,
    /// True if the transfer includes a secret.
    pub(crate) has_secret: bool,
}

impl TransferContext {
    /// Creates the context of a read, with the rights of the login.
    pub(crate) fn for_read(connection: Connection, location: &'static Location<'static>) -> Self {
        Self { connection, elevated: false, location, is_check: false, has_secret: false }
    }

    /// Creates the context of a transfer, with the rights of the login.
    pub(crate) fn for_transfer(connection: Connection, location: &'static Location<'static>) -> Self {
        Self { is_check: true, ..Self::for_read(connection, location) }
    }

    /// Returns ` by sudo` for a transfer under sudo, for descriptions.
    pub(crate) fn sudo_suffix(&self) -> &'static str {
        if self.elevated { " by sudo" } else { "" }
    }

    /// Adds the host and the source location to an error.
    pub(crate) fn error(&self, error: Error) -> Error {
        error.or_on(self.connection.host()).at(self.location)
    }

    /// Emits a warning for the host.
    pub(crate) fn warn(&self, text: &str) {
        self.connection.sink().event(&Event::Warning { host: self.connection.host(), text });
    }

    /// Creates the error of a failed operation.
    pub(crate) fn could_not(&self, operation: &str) -> Error {
        self.error(Error::new(ErrorKind::File, format!("could not {operation}")))
    }
}
