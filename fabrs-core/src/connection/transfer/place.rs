//! Where a transfer goes and by whose rights.

use std::panic::Location;

use super::super::Connection;
use crate::error::{Error, ErrorKind};
use crate::event::Event;

/// Where a transfer goes and by whose rights, and the line that asked for it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) connection: Connection,
    /// Whether it runs under sudo.
    pub(super) elevated: bool,
    pub(super) location: &'static Location<'static>,
    /// Whether its reads are the comparison of a transfer, which reports the result itself.
    pub(super) is_check: bool,
    /// Whether a secret is transferred.
    pub(super) has_secret: bool,
}

impl Place {
    /// Makes that of what a line of the user's asks for: by the rights of the login, until something else is said.
    pub(super) fn of(connection: Connection, location: &'static Location<'static>) -> Self {
        Self { connection, elevated: false, location, is_check: false, has_secret: false }
    }

    /// Makes that of a transfer, which compares before it writes.
    pub(super) fn of_transfer(connection: Connection, location: &'static Location<'static>) -> Self {
        Self { is_check: true, ..Self::of(connection, location) }
    }

    /// Says by whose rights, behind what is done.
    pub(super) fn by(&self) -> &'static str {
        if self.elevated { " by sudo" } else { "" }
    }

    /// Adds to an error where it happened, and which line asked for it.
    pub(super) fn error(&self, error: Error) -> Error {
        error.or_on(self.connection.host()).at(self.location)
    }

    /// Tells what whoever asked for it may not expect.
    pub(super) fn warn(&self, text: &str) {
        self.connection.sink().event(&Event::Warning { host: self.connection.host(), text });
    }

    /// Makes the error of something that could not be done with a file.
    pub(super) fn could_not(&self, what: &str) -> Error {
        self.error(Error::new(ErrorKind::File, format!("could not {what}")))
    }
}
