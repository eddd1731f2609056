//! What a transfer has to do, whichever way it goes.

use std::panic::Location;

use super::super::Connection;
use super::source::{Item, Sum};
use crate::error::{Error, ErrorKind};

/// Where a transfer goes and by whose rights, and the line that asked for it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) connection: Connection,
    /// Whether it runs under sudo.
    pub(super) elevated: bool,
    pub(super) location: &'static Location<'static>,
}

/// How a file is to be on the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) mode: Option<u32>,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
}

/// One file to put on a host.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) item: Item,
    pub(super) sum: Sum,
    /// Its path, or the folder that keeps it under its own name.
    pub(super) target: String,
    pub(super) attributes: Attributes,
    /// Says in words what is done.
    pub(super) what: String,
}

impl Place {
    /// Adds to an error where it happened, and which line asked for it.
    pub(super) fn error(&self, error: Error) -> Error {
        error.or_on(self.connection.host()).at(self.location)
    }

    /// Makes the error of something that could not be done with a file.
    pub(super) fn could_not(&self, what: &str) -> Error {
        self.error(Error::new(ErrorKind::File, format!("could not {what}")))
    }
}
