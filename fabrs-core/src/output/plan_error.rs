//! The error at the end of a plan.

use std::sync::Arc;

use crate::error::Error;
use crate::output::cause::Cause;
use crate::output::plan_end::PlanEnd;

impl PlanEnd {
    /// Returns the error at the end, if the plan has ended.
    pub(crate) fn get(&self) -> Option<Error> {
        self.cause().map(error_of)
    }

    /// Ends the plan, unless the plan has ended already. Returns the error at the end.
    pub(crate) fn or_end(&self, error: impl FnOnce() -> Error) -> Error {
        error_of(self.cause_or_end(|| Arc::new(error())))
    }
}

/// Returns the error behind a cause. All causes of outputs are errors of this crate.
pub(super) fn error_of(cause: &Cause) -> Error {
    match cause.downcast_ref::<Error>() {
        Some(error) => error.clone(),
        None => Error::new(crate::error::ErrorKind::Internal, cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn failure(text: &'static str) -> Error {
        Error::new(ErrorKind::NotRun, text)
    }

    #[test]
    fn a_part_ends_alone_and_a_plan_ends_with_all_its_parts() {
        let whole = PlanEnd::default();
        let (one, other) = (whole.part(), whole.part());
        one.or_end(|| failure("one"));
        assert!(other.get().is_none() && whole.get().is_none());
        whole.end_with(&one);
        assert_eq!(whole.get().as_ref().map(Error::message), Some("one"));
        assert_eq!(other.or_end(|| failure("other")).message(), "one", "the plan ended before");
    }
}
