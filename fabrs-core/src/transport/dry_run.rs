//! The dry run: any other transport, with its changes told instead of made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;
use crate::event::{Event, Sink};
use crate::host::Host;
use crate::transport::request::{Effect, Request};
use crate::transport::running::{End, How, Running};
use crate::transport::traits::{Dial, Permission, Transport};

/// Makes transports that tell their changes to a sink instead of making them; what only reads is run.
///
/// A host that is only changed is never connected to.
#[derive(Debug)]
pub struct DryRun {
    inner: Arc<dyn Dial>,
    sink: Arc<dyn Sink>,
}

impl DryRun {
    /// Wraps what makes the real transports.
    pub fn new(inner: Arc<dyn Dial>, sink: Arc<dyn Sink>) -> Self {
        Self { inner, sink }
    }
}

impl Dial for DryRun {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        let inner = self.inner.dial(host)?;
        Ok(Arc::new(Planning { inner, sink: Arc::clone(&self.sink), planned: AtomicUsize::new(0) }))
    }

    fn effect(&self, name: &str) -> Result<Permission> {
        self.sink.event(&Event::Planned { host: None, operation: name, is_command: false });
        Ok(Permission::Planned)
    }

    fn route(&self, host: &Host) -> Result<String> {
        self.inner.route(host)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// One host's transport in a dry run.
#[derive(Debug)]
struct Planning {
    inner: Arc<dyn Transport>,
    sink: Arc<dyn Sink>,
    /// How many changes were planned on this host so far.
    planned: AtomicUsize,
}

impl Planning {
    fn plan(&self, host: &Host, what: &str, runs: bool) {
        self.planned.fetch_add(1, Ordering::Relaxed);
        self.sink.event(&Event::Planned { host: Some(host), operation: what, is_command: runs });
    }
}

impl Transport for Planning {
    fn start(&self, mut request: Request) -> Running {
        match request.effect {
            Effect::Changes => {
                let (host, what) = (&request.host, &*request.invocation.shown);
                if request.is_check {
                    self.sink.event(&Event::Planned { host: Some(host), operation: what, is_command: true });
                } else {
                    self.plan(host, what, true);
                }
                let end = End { how: How::Planned, elapsed: Duration::ZERO };
                request.receiver.ended(&end);
                Running::ended(end)
            }
            Effect::Reads => {
                let planned = self.planned.load(Ordering::Relaxed);
                if planned > 0 && !request.is_check {
                    self.sink.event(&Event::StaleRead {
                        host: &request.host,
                        command: &request.invocation.shown,
                        planned_changes: planned,
                    });
                }
                self.inner.start(request)
            }
        }
    }

    fn permission(&self, effect: Effect) -> Permission {
        match effect {
            Effect::Changes => Permission::Planned,
            Effect::Reads => Permission::Make,
        }
    }

    fn plan_change(&self, host: &Host, what: &str) {
        self.plan(host, what, false);
    }

    fn planned(&self) -> usize {
        self.planned.load(Ordering::Relaxed)
    }

    /// Connects to nothing: whether a host will be needed at all, only its reads can tell.
    fn open(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
