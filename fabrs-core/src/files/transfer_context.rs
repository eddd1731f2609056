//! The connection of a transfer, its rights and its source location.

use std::panic::Location;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::event::Event;

/// The connection of a transfer, its rights and its source location.
#[derive(Debug, Clone)]
pub(super) struct TransferContext {
    pub(super) connection: Connection,
    /// Whether the transfer runs under sudo.
    pub(super) elevated: bool,
    pub(super) location: &'static Location<'static>,
    /// Whether reads only compare. The transfer reports the result itself.
    pub(super) is_check: bool,
    /// Whether a secret is transferred.
    pub(super) has_secret: bool,
}

impl TransferContext {
    /// Creates the place of a call in the user's code, with the rights of the login.
    pub(super) fn of(connection: Connection, location: &'static Location<'static>) -> Self {
        Self { connection, elevated: false, location, is_check: false, has_secret: false }
    }

    /// Creates the place of a transfer. A transfer compares before it writes.
    pub(super) fn of_transfer(connection: Connection, location: &'static Location<'static>) -> Self {
        Self { is_check: true, ..Self::of(connection, location) }
    }

    /// Returns the suffix of a description: ` by sudo`, or nothing.
    pub(super) fn sudo_suffix(&self) -> &'static str {
        if self.elevated { " by sudo" } else { "" }
    }

    /// Adds the host and the source location to an error.
    pub(super) fn error(&self, error: Error) -> Error {
        error.or_on(self.connection.host()).at(self.location)
    }

    /// Emits a warning about the host.
    pub(super) fn warn(&self, text: &str) {
        self.connection.sink().event(&Event::Warning { host: self.connection.host(), text });
    }

    /// Creates the error of a failed file operation.
    pub(super) fn could_not(&self, operation: &str) -> Error {
        self.error(Error::new(ErrorKind::File, format!("could not {operation}")))
    }
}
