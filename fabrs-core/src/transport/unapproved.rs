//! Hosts of a run that nobody has approved yet: what only reads is run, and changes are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Dial, Effect, End, How, Permission, Request, Running, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

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

/// Makes transports that refuse every change until the run is approved.
#[derive(Debug)]
pub(crate) struct Unapproved {
    inner: Arc<dyn Dial>,
    approved: Approved,
}

impl Unapproved {
    pub(crate) fn new(inner: Arc<dyn Dial>, approved: Approved) -> Self {
        Self { inner, approved }
    }
}

impl Dial for Unapproved {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(Guarded { inner: self.inner.dial(host)?, approved: self.approved.clone() }))
    }

    fn effect(&self, name: &str) -> Result<Permission> {
        if self.approved.is_given() { self.inner.effect(name) } else { Err(refused(name)) }
    }

    fn route(&self, host: &Host) -> Result<String> {
        self.inner.route(host)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// One host's transport while the run is not approved, and afterwards.
#[derive(Debug)]
struct Guarded {
    inner: Arc<dyn Transport>,
    approved: Approved,
}

impl Transport for Guarded {
    fn start(&self, mut request: Request) -> Running {
        if request.effect == Effect::Reads || self.approved.is_given() {
            return self.inner.start(request);
        }
        let error = refused(&request.invocation.shown).on(&request.host);
        let end = End { how: How::Failed(error), elapsed: Duration::ZERO };
        request.receiver.ended(&end);
        Running::ended(end)
    }

    fn permission(&self, effect: Effect) -> Permission {
        self.inner.permission(effect)
    }

    fn plan_change(&self, host: &Host, what: &str) {
        self.inner.plan_change(host, what);
    }

    fn planned(&self) -> usize {
        self.inner.planned()
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.open()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

fn refused(what: &str) -> Error {
    let error = Error::new(ErrorKind::Prompt, format!("nobody has approved the run yet, so `{what}` is not done"));
    error.hint("a task of this run shows what is pending first: put that one first, or run the others by themselves")
}
