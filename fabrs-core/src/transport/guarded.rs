//! Transports with a guard that may reject changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::transport::request::{Effect, Request};
use crate::transport::running::{CommandOutcome, Completion, RunningCommand};
use crate::transport::traits::{Dialer, EffectMode, Transport};

/// A guard that allows or rejects the changes of a run. Clones share their state.
pub(crate) trait ChangeGuard: fmt::Debug + Clone + Send + Sync + 'static {
    /// Starts a request on a transport, or rejects it by [`reject`].
    fn start(&self, inner: &dyn Transport, request: Request) -> RunningCommand;

    /// Returns an error if the guard rejects the effect of this name.
    fn begin_effect(&self, name: &str) -> Result<()>;
}

/// Ends a request with an error instead of starting it.
pub(super) fn reject(mut request: Request, error: Error) -> RunningCommand {
    let end = Completion { outcome: CommandOutcome::Failed(error), elapsed: Duration::ZERO };
    request.receiver.ended(&end);
    RunningCommand::ended(end)
}

/// A dialer of guarded transports.
#[derive(Debug)]
pub(crate) struct GuardedDialer<G> {
    inner: Arc<dyn Dialer>,
    guard: G,
}

impl<G: ChangeGuard> GuardedDialer<G> {
    pub(crate) fn new(inner: Arc<dyn Dialer>, guard: G) -> Self {
        Self { inner, guard }
    }
}

impl<G: ChangeGuard> Dialer for GuardedDialer<G> {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(GuardedTransport { inner: self.inner.dial(host)?, guard: self.guard.clone() }))
    }

    fn begin_effect(&self, name: &str) -> Result<EffectMode> {
        self.guard.begin_effect(name)?;
        self.inner.begin_effect(name)
    }

    fn route(&self, host: &Host) -> Result<String> {
        self.inner.route(host)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// The guarded transport of a host. Requests that only read pass without a check.
#[derive(Debug)]
struct GuardedTransport<G> {
    inner: Arc<dyn Transport>,
    guard: G,
}

impl<G: ChangeGuard> Transport for GuardedTransport<G> {
    fn start(&self, request: Request) -> RunningCommand {
        if request.effect == Effect::Reads {
            self.inner.start(request)
        } else {
            self.guard.start(&*self.inner, request)
        }
    }

    fn effect_mode(&self, effect: Effect) -> EffectMode {
        self.inner.effect_mode(effect)
    }

    fn plan_change(&self, host: &Host, operation: &str) {
        self.inner.plan_change(host, operation);
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
