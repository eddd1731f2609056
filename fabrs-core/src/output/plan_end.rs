//! Where the plan of a task ends in a dry run.

use std::sync::{Arc, OnceLock};

use crate::output::cause::Cause;

/// Where the plan of a task ended, because it looked at what was not run.
///
/// Shared by all connections of a task and the outputs of their commands: once set, every later command returns the same
/// error, so that no branch which was never decided is shown, even when the first error was swallowed.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanEnd(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    own: OnceLock<Cause>,
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
        if let Some(cause) = part.0.own.get() {
            self.cause_or_end(|| Arc::clone(cause));
        }
    }

    /// Returns why the plan ended, if it has.
    pub(super) fn cause(&self) -> Option<&Cause> {
        self.0.own.get().or_else(|| self.0.whole.as_ref().and_then(Self::cause))
    }

    /// Ends the plan, unless it has ended, and returns why.
    pub(super) fn cause_or_end(&self, cause: impl FnOnce() -> Cause) -> &Cause {
        match self.cause() {
            Some(cause) => cause,
            None => self.0.own.get_or_init(cause),
        }
    }
}
