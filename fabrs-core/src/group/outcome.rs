//! [`Outcome`]: the result of a task or command on one host.

use crate::error::{Error, ErrorKind, TaskError};
use crate::event::OutcomeKind;

/// The result of a task or command on one host.
#[derive(Debug, Clone)]
#[must_use = "an outcome can be a failure"]
pub enum Outcome<T> {
    /// Success, with the value.
    Ok(T),
    /// Failure with a known cause.
    Failed(Error),
    /// Lost connection. The command may have run.
    Lost(Error),
    /// Failed connection or login. Nothing ran on the host.
    Unreachable(Error),
    /// Skipped on purpose, for example as unreachable under `--skip-bad-hosts`.
    Skipped(Error),
    /// Not started: the run ended before the turn of this host.
    NotStarted,
    /// Cancelled by a stop of the run.
    Cancelled(Error),
    /// Incomplete plan: the task needs the result of a command that a dry run did not run.
    Incomplete(Error),
}

impl<T> Outcome<T> {
    /// Returns the outcome of a result. The kind of the error selects the variant.
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

    /// Returns the kind of the outcome, without its value or error.
    pub fn kind(&self) -> OutcomeKind {
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

    /// Returns whether the outcome is a success.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// Returns whether later tasks skip this host: true except for `Ok`, `Skipped` and
    /// `Incomplete`.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Ok(_) | Self::Skipped(_) | Self::Incomplete(_))
    }

    /// Returns the value of a success.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Ok(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the error. `None` for `Ok` and `NotStarted`.
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
