//! Transports behind a guard, which may refuse a change before it begins.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::transport::request::{Effect, Request};
use crate::transport::running::{End, How, Running};
use crate::transport::traits::{Dial, Permission, Transport};

/// A condition for the changes of a run. Clones share their state.
pub(crate) trait Guard: fmt::Debug + Clone + Send + Sync + 'static {
    /// Starts a request on a transport, or ends it by [`refuse`].
    fn start(&self, inner: &dyn Transport, request: Request) -> Running;

    /// Returns an error if the effect of this name is refused.
    fn effect(&self, name: &str) -> Result<()>;
}

/// Ends a request that a guard refuses.
pub(super) fn refuse(mut request: Request, error: Error) -> Running {
    let end = End { how: How::Failed(error), elapsed: Duration::ZERO };
    request.receiver.ended(&end);
    Running::ended(end)
}

/// A dial whose transports are behind a guard.
#[derive(Debug)]
pub(crate) struct Guarded<G> {
    inner: Arc<dyn Dial>,
    guard: G,
}

impl<G: Guard> Guarded<G> {
    pub(crate) fn new(inner: Arc<dyn Dial>, guard: G) -> Self {
        Self { inner, guard }
    }
}

impl<G: Guard> Dial for Guarded<G> {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(GuardedHost { inner: self.inner.dial(host)?, guard: self.guard.clone() }))
    }

    fn effect(&self, name: &str) -> Result<Permission> {
        self.guard.effect(name)?;
        self.inner.effect(name)
    }

    fn route(&self, host: &Host) -> Result<String> {
        self.inner.route(host)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// The transport of one host, behind a guard.
#[derive(Debug)]
struct GuardedHost<G> {
    inner: Arc<dyn Transport>,
    guard: G,
}

impl<G: Guard> Transport for GuardedHost<G> {
    fn start(&self, request: Request) -> Running {
        if request.effect == Effect::Reads {
            self.inner.start(request)
        } else {
            self.guard.start(&*self.inner, request)
        }
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
