//! What came of a script and of the talk with it.

use super::super::Said;
use super::{Script, Undone};
use crate::error::{Error, Result};
use crate::output::Output;

/// The script has ended, or says what it was not asked: its own end tells why.
#[derive(Debug)]
pub(super) struct Over;

/// Why a talk has not come to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The script has ended, and tells why.
    Over,
    /// Something on the host stands in the way, and nothing is done.
    InTheWay(String),
    /// It failed on this side.
    Failed(Error),
}

impl From<Over> for Broken {
    fn from(Over: Over) -> Self {
        Self::Over
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Script<'_> {
    /// Says what came of both.
    pub(super) fn ended<T>(&self, output: Result<Output, Undone>, told: Result<T, Broken>) -> Result<T, Undone> {
        match (output, told) {
            (Err(Undone::NoShell(error)), _) => Err(Undone::NoShell(error)),
            // That the host found it too short says less than why.
            (_, Err(Broken::Failed(error))) => Err(self.place.error(error).into()),
            (_, Err(Broken::InTheWay(why))) => Err(self.place.could_not(self.what).caused_by(Said(why)).into()),
            (Err(undone), _) => Err(undone),
            (Ok(_), Err(Broken::Over)) => Err(self.place.could_not(self.what).into()),
            (Ok(_), Ok(told)) => Ok(told),
        }
    }
}
