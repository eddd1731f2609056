//! [`ChangePolicy`]: whether the changes of a run are made, planned or held until the approval.

use std::sync::Arc;

use crate::event::Sink;
use crate::transport::{Approved, Dial, DryRun, Guarded};

/// The treatment of changes in a run. Clients made by tasks of the run inherit the policy.
#[derive(Debug, Clone)]
pub(crate) enum ChangePolicy {
    /// Changes are made.
    Apply,
    /// Changes are planned: a dry run.
    Plan,
    /// Changes are refused until the run is approved.
    AwaitApproval(Approved),
}

impl ChangePolicy {
    /// Wraps a dial, so that its transports keep to the policy.
    pub(crate) fn wrap(&self, dial: Arc<dyn Dial>, sink: &Arc<dyn Sink>) -> Arc<dyn Dial> {
        match self {
            Self::Apply => dial,
            Self::Plan => Arc::new(DryRun::new(dial, Arc::clone(sink))),
            Self::AwaitApproval(approved) => Arc::new(Guarded::new(dial, approved.clone())),
        }
    }
}
