//! [`PlanEnd`]: the end of a task's plan in a dry run.

use std::sync::{Arc, OnceLock};

use crate::output::cause::Cause;

/// The end of a task's plan, caused by reading the result of a command that did not run.
///
/// All connections of a task and the outputs of their commands share one `PlanEnd`. Every later
/// command returns the same error, even if the task ignored the first error. So the plan contains
/// no branch based on a missing result.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanEnd(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    own: OnceLock<Cause>,
    /// The containing plan, if any. The end of the containing plan ends this plan too.
    parent: Option<PlanEnd>,
}

impl PlanEnd {
    /// Makes a `PlanEnd` for the part of the plan on one host. The end of the task's plan ends this
    /// part. The end of this part does not end the parts of other hosts.
    pub(crate) fn part(&self) -> Self {
        Self(Arc::new(Inner { own: OnceLock::new(), parent: Some(self.clone()) }))
    }

    /// Ends this plan if `part` has ended by itself.
    pub(crate) fn end_with(&self, part: &Self) {
        if let Some(cause) = part.0.own.get() {
            self.cause_or_end(|| Arc::clone(cause));
        }
    }

    /// Returns the error at the end, if the plan has ended.
    pub(super) fn cause(&self) -> Option<&Cause> {
        self.0.own.get().or_else(|| self.0.parent.as_ref().and_then(Self::cause))
    }

    /// Ends the plan, unless the plan has ended already. Returns the error at the end.
    pub(super) fn cause_or_end(&self, cause: impl FnOnce() -> Cause) -> &Cause {
        match self.cause() {
            Some(cause) => cause,
            None => self.0.own.get_or_init(cause),
        }
    }
}
