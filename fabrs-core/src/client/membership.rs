//! The run that a client belongs to: that of the task around it, or that of the whole process.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Client, Inner};
use crate::connection;
use crate::event::Sink;
use crate::transport::{Approved, Dial, DryRun, Unapproved};

/// The client of the process's run, as long as it lives.
static PROCESS: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

/// The limits that a run sets to every change, also of the clients that its tasks make.
#[derive(Debug, Clone)]
pub(super) enum Limits {
    /// Changes are made.
    None,
    /// Changes are planned: a dry run.
    Plan,
    /// Changes wait for an approval.
    Approval(Approved),
}

impl Limits {
    /// Puts the limits around a dial.
    pub(super) fn around(&self, dial: Arc<dyn Dial>, sink: &Arc<dyn Sink>) -> Arc<dyn Dial> {
        match self {
            Self::None => dial,
            Self::Plan => Arc::new(DryRun::new(dial, Arc::clone(sink))),
            Self::Approval(approved) => Arc::new(Unapproved::new(dial, approved.clone())),
        }
    }
}

impl Client {
    /// Makes this the client of the process's run, until it is dropped.
    ///
    /// [`Connection::to`](crate::Connection::to) and [`Group::to`](crate::Group::to) then use this client everywhere in the
    /// process, also in threads and spawned tasks, and clients that tasks make keep to a dry run. `fab` calls it for its one
    /// run. A program that embeds several runs does not.
    pub fn own_process(&self) {
        *PROCESS.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&self.inner);
    }

    /// Returns the client of the run around the caller: that of its task, or that of the process.
    pub(crate) fn of_this_run() -> Option<Self> {
        connection::ambient_client().or_else(|| {
            let process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
            process.upgrade().map(|inner| Self { inner })
        })
    }
}
