//! [`ChangePolicy`]: the treatment of changes in a run: apply, plan, or wait for the approval.

use std::sync::Arc;

use crate::event::Sink;
use crate::transport::{Dialer, DryRun, GuardedDialer, RunApproval};

/// The treatment of changes in a run. Clients made by tasks of the run inherit the policy.
#[derive(Debug, Clone)]
pub(crate) enum ChangePolicy {
    /// Changes are made.
    Apply,
    /// Changes are planned: a dry run.
    Plan,
    /// Changes are refused until the run is approved.
    AwaitApproval(RunApproval),
}

impl ChangePolicy {
    /// Wraps a dialer, so that its transports apply the policy.
    pub(crate) fn wrap(&self, dial: Arc<dyn Dialer>, sink: &Arc<dyn Sink>) -> Arc<dyn Dialer> {
        match self {
            Self::Apply => dial,
            Self::Plan => Arc::new(DryRun::new(dial, Arc::clone(sink))),
            Self::AwaitApproval(approved) => Arc::new(GuardedDialer::new(dial, approved.clone())),
        }
    }
}
