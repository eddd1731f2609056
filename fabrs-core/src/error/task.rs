//! [`TaskError`]: the error of a task, with a conversion from any error.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use crate::error::cause_text::{CauseText, chain};
use crate::error::error::Error;
use crate::error::kind::ErrorKind;

/// The error of a task: any error, and the line of code of the failed call.
///
/// `TaskError` does not implement [`std::error::Error`], so that `?` can convert every error. Use
/// `bail!` and `ensure!` to make an error and [`Context`] to describe it.
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
    /// Makes an error from a text.
    #[track_caller]
    pub fn msg(text: impl Into<Cow<'static, str>>) -> Self {
        Self { error: Error::new(ErrorKind::Task, text).at(Location::caller()) }
    }

    /// Wraps the error in a message that names the failed action. The kind and the host stay the
    /// same.
    ///
    /// ```
    /// use fabrs_core::TaskError;
    ///
    /// let error = TaskError::msg("port 80 is closed").context("cannot check the site");
    /// assert_eq!(error.into_error().message(), "cannot check the site");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn context(self, message: impl Into<Cow<'static, str>>) -> Self {
        let inner = self.error;
        let mut outer = Error::new(inner.kind(), message).at(inner.location().unwrap_or(Location::caller()));
        if let Some(host) = inner.host() {
            outer = outer.on(host);
        }
        Self { error: outer.caused_by(inner) }
    }

    /// Returns the error. An error of another crate has the kind [`ErrorKind::Task`].
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Returns the kind of the error.
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
        let foreign = match (&error as &dyn std::any::Any).downcast_ref::<Error>() {
            Some(own) => return Self { error: own.clone() },
            None => error,
        };
        let text = foreign.to_string();
        let mut made = Error::new(ErrorKind::Task, text).at(location);
        // The message already contains the text of the error itself, so only its causes are added.
        if let Some(source) = foreign.source() {
            made = made.caused_by(CauseText(chain(source)));
        }
        Self { error: made }
    }
}

/// Extension trait that wraps an error in a message with the failed action.
pub trait Context<T> {
    /// Wraps the error in `message`.
    ///
    /// # Errors
    ///
    /// The original error, with `message` in front.
    fn context(self, message: impl Into<Cow<'static, str>>) -> Result<T, TaskError>;
}

impl<T, E: Into<TaskError>> Context<T> for Result<T, E> {
    #[track_caller]
    fn context(self, message: impl Into<Cow<'static, str>>) -> Result<T, TaskError> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into().context(message)),
        }
    }
}

impl<T> Context<T> for Option<T> {
    #[track_caller]
    fn context(self, message: impl Into<Cow<'static, str>>) -> Result<T, TaskError> {
        match self {
            Some(value) => Ok(value),
            None => Err(TaskError::msg(message)),
        }
    }
}
