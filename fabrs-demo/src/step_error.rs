//! Errors of the steps by which a host starts.

/// A step that could not be done.
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

/// Says what was being done when the system refused.
pub(crate) trait Context<T> {
    /// Names the step: "could not {what}".
    fn context(self, step: impl Into<String>) -> Result<T, StepError>;
}

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, step: impl Into<String>) -> Result<T, StepError> {
        self.map_err(|reason| StepError::new(step, reason))
    }
}
