//! Dry run: a transport printing changes instead of making them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;
use crate::event::{Event, PlannedCommand, Sink};
use crate::host::Host;
use crate::transport::request::{Effect, Request};
use crate::transport::running::{CommandOutcome, Completion, RunningCommand};
use crate::transport::traits::{Dialer, EffectMode, Transport};

/// A dialer for dry runs. Its transports emit changes as events and execute commands that only
/// read.
///
/// A host is connected only for commands that read.
#[derive(Debug)]
pub struct DryRun {
    inner: Arc<dyn Dialer>,
    sink: Arc<dyn Sink>,
}

impl DryRun {
    /// Wraps the dialer of the real transports.
    pub fn new(inner: Arc<dyn Dialer>, sink: Arc<dyn Sink>) -> Self {
        Self { inner, sink }
    }
}

impl Dialer for DryRun {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        let inner = self.inner.dial(host)?;
        Ok(Arc::new(DryRunTransport { inner, sink: Arc::clone(&self.sink), planned: AtomicUsize::new(0) }))
    }

    fn begin_effect(&self, name: &str) -> Result<EffectMode> {
        self.sink.event(&Event::Planned { host: None, operation: name, command: None });
        Ok(EffectMode::Plan)
    }

    fn route(&self, host: &Host) -> Result<String> {
        self.inner.route(host)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// The transport of a host in a dry run.
#[derive(Debug)]
struct DryRunTransport {
    inner: Arc<dyn Transport>,
    sink: Arc<dyn Sink>,
    /// The number of changes planned so far.
    planned: AtomicUsize,
}

impl DryRunTransport {
    fn plan(&self, host: &Host, operation: &str, command: Option<PlannedCommand<'_>>) {
        self.planned.fetch_add(1, Ordering::Relaxed);
        self.sink.event(&Event::Planned { host: Some(host), operation, command });
    }
}

impl Transport for DryRunTransport {
    fn start(&self, mut request: Request) -> RunningCommand {
        match request.effect {
            Effect::Changes => {
                let (host, operation) = (&request.host, &*request.invocation.shown);
                let command = Some(match &request.invocation.plan {
                    Some(texts) => PlannedCommand { short: &texts.short, shell_line: &texts.shell_line },
                    None => PlannedCommand::of_line(operation),
                });
                if request.is_check {
                    self.sink.event(&Event::Planned { host: Some(host), operation, command });
                } else {
                    self.plan(host, operation, command);
                }
                let end = Completion { outcome: CommandOutcome::Planned, elapsed: Duration::ZERO };
                request.receiver.ended(&end);
                RunningCommand::ended(end)
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

    fn effect_mode(&self, effect: Effect) -> EffectMode {
        match effect {
            Effect::Changes => EffectMode::Plan,
            Effect::Reads => EffectMode::Execute,
        }
    }

    fn plan_change(&self, host: &Host, operation: &str) {
        self.plan(host, operation, None);
    }

    fn planned(&self) -> usize {
        self.planned.load(Ordering::Relaxed)
    }

    /// Does nothing: only a command that reads needs the connection.
    fn open(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
