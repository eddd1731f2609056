//! Where the plan of a task ends in a dry run.

use std::sync::{Arc, OnceLock};

use crate::error::Error;

/// Where the plan of a task ended, because it looked at what was not run.
///
/// Shared by all connections of a task and the outputs of their commands: once set, every later command returns the same
/// error, so that no branch which was never decided is shown, even when the first error was swallowed.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanEnd(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    own: OnceLock<Error>,
    /// The plan that this one is a part of, and ends with.
    whole: Option<PlanEnd>,
}

impl PlanEnd {
    /// Makes the plan of one host's part of a task's work: it ends with the task's, and by itself without ending those of
    /// the hosts beside it.
    pub(crate) fn part(&self) -> Self {
        Self(Arc::new(Inner { own: OnceLock::new(), whole: Some(self.clone()) }))
    }

    /// Ends this plan where a part of it ended.
    pub(crate) fn end_with(&self, part: &Self) {
        if let Some(error) = part.0.own.get() {
            self.or_end(|| error.clone());
        }
    }

    /// Returns why the plan ended, if it has.
    pub(crate) fn get(&self) -> Option<&Error> {
        self.0.own.get().or_else(|| self.0.whole.as_ref().and_then(Self::get))
    }

    /// Ends the plan, unless it has ended, and returns why.
    pub(crate) fn or_end(&self, why: impl FnOnce() -> Error) -> &Error {
        match self.get() {
            Some(error) => error,
            None => self.0.own.get_or_init(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn why(text: &'static str) -> Error {
        Error::new(ErrorKind::NotRun, text)
    }

    #[test]
    fn a_part_ends_alone_and_the_whole_with_all_its_parts() {
        let whole = PlanEnd::default();
        let (one, other) = (whole.part(), whole.part());
        one.or_end(|| why("one"));
        assert!(other.get().is_none() && whole.get().is_none());
        whole.end_with(&one);
        assert_eq!(whole.get().map(Error::doing), Some("one"));
        assert_eq!(other.or_end(|| why("other")).doing(), "one", "it ended before");
    }
}
