//! [`PlanEnd`]: the point where the plan of a task ends in a dry run.

use std::sync::{Arc, OnceLock};

use crate::output::cause::Cause;

/// The point where the plan of a task ended, because the task read the result of a command that did
/// not run.
///
/// All connections of a task and the outputs of their commands share it. After the end, every later
/// command returns the same error, even if the task ignored the first error. So the plan contains
/// no branch that depends on a missing result.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanEnd(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    own: OnceLock<Cause>,
    /// The plan that contains this plan. If it ends, this plan ends too.
    whole: Option<PlanEnd>,
}

impl PlanEnd {
    /// Makes the plan of one host within a task. It ends when the task's plan ends. Its own end
    /// does not end the plans of other hosts.
    pub(crate) fn part(&self) -> Self {
        Self(Arc::new(Inner { own: OnceLock::new(), whole: Some(self.clone()) }))
    }

    /// Ends this plan if `part` has ended by itself.
    pub(crate) fn end_with(&self, part: &Self) {
        if let Some(cause) = part.0.own.get() {
            self.cause_or_end(|| Arc::clone(cause));
        }
    }

    /// Returns the error of the end, if the plan has ended.
    pub(super) fn cause(&self) -> Option<&Cause> {
        self.0.own.get().or_else(|| self.0.whole.as_ref().and_then(Self::cause))
    }

    /// Ends the plan, unless it has ended, and returns the error of the end.
    pub(super) fn cause_or_end(&self, cause: impl FnOnce() -> Cause) -> &Cause {
        match self.cause() {
            Some(cause) => cause,
            None => self.0.own.get_or_init(cause),
        }
    }
}
