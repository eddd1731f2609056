//! Errors of the dialogue with a script.

use super::limits::Excess;
use crate::error::Error;

/// The script has ended, or says what it was not asked: its own end tells why.
#[derive(Debug)]
pub(super) struct Over;

/// Why a talk has not come to its end.
#[derive(Debug)]
pub(super) enum DialogError {
    /// The script has ended, and tells why.
    Over,
    /// Something on the host stands in the way, and nothing is done.
    InTheWay(String),
    /// The host sent more than a limit.
    Excess(Excess),
    /// It failed on this side.
    Failed(Error),
}

impl From<Over> for DialogError {
    fn from(Over: Over) -> Self {
        Self::Over
    }
}

impl From<Excess> for DialogError {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

impl From<Error> for DialogError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
