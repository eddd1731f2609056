//! Errors of the steps that start a host.

/// A failed step.
#[derive(Debug, thiserror::Error)]
#[error("could not {step}: {reason}")]
pub(crate) struct StepError {
    pub(crate) step: String,
    pub(crate) reason: String,
}

impl StepError {
    pub(crate) fn new(step: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self { step: step.into(), reason: reason.to_string() }
    }
}

/// Adds the failed step to an error.
pub(crate) trait StepContext<T> {
    /// Converts an error to a [`StepError`]. `step` completes "could not …".
    fn context(self, step: impl Into<String>) -> Result<T, StepError>;
}

impl<T, E: std::fmt::Display> StepContext<T> for Result<T, E> {
    fn context(self, step: impl Into<String>) -> Result<T, StepError> {
        self.map_err(|reason| StepError::new(step, reason))
    }
}
