//! Approval of a run: until then, changes are refused and reads run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::transport::guarded::{Guard, refuse};
use crate::transport::request::Request;
use crate::transport::running::Running;
use crate::transport::traits::Transport;

/// Whether a run is approved; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Approved(Arc<AtomicBool>);

impl Approved {
    pub(crate) fn is_given(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn give(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Guard for Approved {
    fn start(&self, inner: &dyn Transport, request: Request) -> Running {
        if self.is_given() {
            return inner.start(request);
        }
        let error = refused(&request.invocation.shown).on(&request.host);
        refuse(request, error)
    }

    fn effect(&self, name: &str) -> Result<()> {
        if self.is_given() { Ok(()) } else { Err(refused(name)) }
    }
}

fn refused(what: &str) -> Error {
    let error = Error::new(ErrorKind::Prompt, format!("nobody has approved the run yet, so `{what}` is not done"));
    error.hint("a task of this run shows what is pending first: put that one first, or run the others by themselves")
}
