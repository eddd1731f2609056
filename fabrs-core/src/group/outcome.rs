//! What came of one host.

use crate::error::{Error, ErrorKind, TaskError};
use crate::event::OutcomeKind;

/// What came of one host.
#[derive(Debug, Clone)]
#[must_use = "an outcome tells whether the host did what it was asked"]
pub enum Outcome<T> {
    /// It is done, with this value.
    Ok(T),
    /// It failed, and how is known.
    Failed(Error),
    /// The connection was lost on the way: it may or may not have happened.
    Lost(Error),
    /// The host could not be reached, or refused us; nothing happened there.
    Unreachable(Error),
    /// It was left out on purpose, for this reason.
    Skipped(Error),
    /// The run ended before this host's turn. Nothing was started there.
    NotStarted,
    /// The run was stopped while it was on its way.
    Cancelled(Error),
    /// A dry run planned it up to the line that needs the result of a command that was not run.
    Incomplete(Error),
}

impl<T> Outcome<T> {
    /// Sorts a result by the stage at which it failed.
    pub fn of(result: Result<T, TaskError>) -> Self {
        let error = match result {
            Ok(value) => return Self::Ok(value),
            Err(error) => error.into_error(),
        };
        match error.kind() {
            ErrorKind::Channel => Self::Lost(error),
            ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth => Self::Unreachable(error),
            ErrorKind::Cancelled => Self::Cancelled(error),
            ErrorKind::NotRun => Self::Incomplete(error),
            _ => Self::Failed(error),
        }
    }

    /// Returns the outcome as one word.
    pub fn word(&self) -> OutcomeKind {
        match self {
            Self::Ok(_) => OutcomeKind::Ok,
            Self::Failed(_) => OutcomeKind::Failed,
            Self::Lost(_) => OutcomeKind::Lost,
            Self::Unreachable(_) => OutcomeKind::Unreachable,
            Self::Skipped(_) => OutcomeKind::Skipped,
            Self::NotStarted => OutcomeKind::NotStarted,
            Self::Cancelled(_) => OutcomeKind::Cancelled,
            Self::Incomplete(_) => OutcomeKind::Incomplete,
        }
    }

    /// Tells whether it is done.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// Tells whether what follows must not go on with this host.
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::Ok(_) | Self::Skipped(_) | Self::Incomplete(_))
    }

    /// Returns the value, where it is done.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Ok(value) => Some(value),
            _ => None,
        }
    }

    /// Returns why it is not done, where there is a reason.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error)
            | Self::Lost(error)
            | Self::Unreachable(error)
            | Self::Skipped(error)
            | Self::Cancelled(error)
            | Self::Incomplete(error) => Some(error),
            Self::Ok(_) | Self::NotStarted => None,
        }
    }
}
