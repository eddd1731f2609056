//! Errors of the steps by which a host starts.

/// A step that could not be done.
#[derive(Debug, thiserror::Error)]
#[error("could not {what}: {why}")]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) why: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self { what: what.into(), why: why.to_string() }
    }
}

/// Says what was being done when the system refused.
pub(crate) trait While<T> {
    /// Names the step: "could not {what}".
    fn when(self, what: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> While<T> for Result<T, E> {
    fn when(self, what: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|why| Failure::new(what, why))
    }
}
