//! The error of a task's body, on which `?` works with anything.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use crate::error::cause_text::{CauseText, chain};
use crate::error::error::Error;
use crate::error::kind::ErrorKind;

/// What a task's body returns when it fails: any error, with the line where it was met.
///
/// It is no [`std::error::Error`] itself, which is what lets `?` turn every error into one. `bail!`, `ensure!` and
/// [`Context`] make and enrich it.
///
/// ```
/// use fabrs_core::{Context, TaskError};
///
/// fn port(text: &str) -> Result<u16, TaskError> {
///     Ok(text.parse::<u16>().context("reading the port")?)
/// }
/// assert_eq!(port("x").unwrap_err().to_string(), "reading the port");
/// ```
pub struct TaskError {
    error: Error,
}

impl TaskError {
    /// Makes an error out of a text.
    #[track_caller]
    pub fn msg(text: impl Into<Cow<'static, str>>) -> Self {
        Self { error: Error::new(ErrorKind::Task, text).at(Location::caller()) }
    }

    /// Puts what was being done around the error.
    #[must_use]
    #[track_caller]
    pub fn context(self, doing: impl Into<Cow<'static, str>>) -> Self {
        let inner = self.error;
        let mut outer = Error::new(inner.kind(), doing).at(inner.location().unwrap_or(Location::caller()));
        if let Some(host) = inner.host() {
            outer = outer.on(host);
        }
        Self { error: outer.caused_by(inner) }
    }

    /// Returns the error: the one of this crate that it was, or the stranger as [`ErrorKind::Task`].
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Returns the kind of the error inside.
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for TaskError {
    #[track_caller]
    fn from(error: E) -> Self {
        let location = Location::caller();
        let stranger = match (&error as &dyn std::any::Any).downcast_ref::<Error>() {
            Some(own) => return Self { error: own.clone() },
            None => error,
        };
        let text = stranger.to_string();
        let mut made = Error::new(ErrorKind::Task, text).at(location);
        // The text of the stranger is the line itself, so only what is behind it is a cause.
        if let Some(source) = stranger.source() {
            made = made.caused_by(CauseText(chain(source)));
        }
        Self { error: made }
    }
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts `doing` around the error.
    ///
    /// # Errors
    ///
    /// The error that was there, with `doing` in front of it.
    fn context(self, doing: impl Into<Cow<'static, str>>) -> Result<T, TaskError>;
}

impl<T, E: Into<TaskError>> Context<T> for Result<T, E> {
    #[track_caller]
    fn context(self, doing: impl Into<Cow<'static, str>>) -> Result<T, TaskError> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into().context(doing)),
        }
    }
}

impl<T> Context<T> for Option<T> {
    #[track_caller]
    fn context(self, doing: impl Into<Cow<'static, str>>) -> Result<T, TaskError> {
        match self {
            Some(value) => Ok(value),
            None => Err(TaskError::msg(doing)),
        }
    }
}
