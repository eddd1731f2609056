//! Approval of a run: changes are rejected before the approval, reads are executed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::transport::guarded::{ChangeGuard, reject};
use crate::transport::request::Request;
use crate::transport::running::RunningCommand;
use crate::transport::traits::Transport;

/// The approval of a run. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunApproval(Arc<AtomicBool>);

impl RunApproval {
    pub(crate) fn is_granted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn grant(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl ChangeGuard for RunApproval {
    fn start(&self, inner: &dyn Transport, request: Request) -> RunningCommand {
        if self.is_granted() {
            return inner.start(request);
        }
        let error = refused(&request.invocation.shown).on(&request.host);
        reject(request, error)
    }

    fn begin_effect(&self, name: &str) -> Result<()> {
        if self.is_granted() { Ok(()) } else { Err(refused(name)) }
    }
}

fn refused(what: &str) -> Error {
    let error = Error::new(ErrorKind::Prompt, format!("the run is not approved yet, so `{what}` was not executed"));
    error.hint("put the task with the approval first, or run the other tasks separately")
}
