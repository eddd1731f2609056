//! The current run: that of the task around the caller, or that of the process.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Client, Inner};
use crate::connection;
use crate::event::Sink;
use crate::transport::{Approved, Dial, DryRun, Guarded};

/// The client of the process's run, as long as it lives.
static PROCESS: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

/// What a run does with changes, also with those of the clients that its tasks make.
#[derive(Debug, Clone)]
pub(super) enum ChangePolicy {
    /// Changes are made.
    Apply,
    /// Changes are planned: a dry run.
    Plan,
    /// Changes are refused until the run is approved.
    AwaitApproval(Approved),
}

impl ChangePolicy {
    /// Wraps a dial, so that its transports keep to the policy.
    pub(super) fn wrap(&self, dial: Arc<dyn Dial>, sink: &Arc<dyn Sink>) -> Arc<dyn Dial> {
        match self {
            Self::Apply => dial,
            Self::Plan => Arc::new(DryRun::new(dial, Arc::clone(sink))),
            Self::AwaitApproval(approved) => Arc::new(Guarded::new(dial, approved.clone())),
        }
    }
}

impl Client {
    /// Makes this client the default of the process, until it is dropped.
    ///
    /// [`Connection::to`](crate::Connection::to) and [`Group::to`](crate::Group::to) then use this client everywhere in the
    /// process, also in threads and spawned tasks, and clients that tasks make keep to a dry run. `fab` calls it for its one
    /// run. A program that embeds several runs does not.
    pub fn install_global(&self) {
        *PROCESS.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&self.inner);
    }

    /// Returns the client of the run around the caller: that of its task, or that of the process.
    pub(crate) fn current_run() -> Option<Self> {
        connection::ambient_client().or_else(|| {
            let process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
            process.upgrade().map(|inner| Self { inner })
        })
    }
}
