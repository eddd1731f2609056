//! [`HostTask`]: a call of a run on each host.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{Result, TaskError};
use crate::event::Event;
use crate::group::{Outcome, Strategy, lost_after_use};
use crate::host::Host;
use crate::mutex::lock;
use crate::plan::{Stage, StageHosts};
use crate::task::{Call, catch_future};
use crate::transport::StopLevel;

/// A call, with the state of its executions on single hosts.
#[derive(Debug)]
pub(super) struct HostTask {
    call: Call,
    strategy: Strategy,
    client: Client,
    /// True if the task runs on hosts, and false for a `local` task.
    has_hosts: bool,
    /// The bodies that have not ended, including cancelled bodies.
    bodies: TaskTracker,
    /// The hosts with a reported outcome.
    reported: Mutex<HashSet<Host>>,
}

impl HostTask {
    pub(super) fn new(stage: &Stage, client: &Client) -> Self {
        Self {
            call: stage.call.clone(),
            strategy: stage.strategy,
            client: client.clone(),
            has_hosts: stage.hosts != StageHosts::Local,
            bodies: TaskTracker::new(),
            reported: Mutex::default(),
        }
    }

    /// Starts the task on a host, in a separate async task. A body that blocks its thread then
    /// delays no other host, as long as the runtime has a free thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the body at the next `await`.
    pub(super) fn spawn(
        self: &Arc<Self>,
        connection: Connection,
    ) -> impl Future<Output = Result<(), TaskError>> + use<> {
        let this = Arc::clone(self);
        let task = self.call.task().shown_name();
        // Emitted before the first poll: the hosts then start in plan order.
        self.client.sink().event(&Event::TaskStarted { task: &task, host: connection.host() });
        let mut running = JoinSet::new();
        running.spawn(self.bodies.track_future(async move { this.run(connection).await }));
        async move {
            let ended = running.join_next().await;
            ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|error| Err(error.into()))
        }
    }

    /// Waits until all bodies have ended, or until the run is killed. A cancelled body ends at the
    /// next `await`.
    pub(super) async fn ended(&self) {
        self.bodies.close();
        tokio::select! {
            () = self.bodies.wait() => {}
            _ = self.client.stop().wait_above(StopLevel::Stop) => {}
        }
    }

    async fn run(&self, connection: Connection) -> Result<(), TaskError> {
        let host = connection.host().cloned();
        let began = Instant::now();
        // A panic on one host must not end the others. The task is responsible for half-changed
        // state.
        let fresh = connection.with_new_plan();
        let result = catch_future(self.call.on(&fresh)).await;
        // The plan is incomplete even if the task ignores the error: the later steps are missing.
        let result = match (result, fresh.plan_end().get()) {
            (Ok(()), Some(ended)) => Err(ended.clone().into()),
            (result, _) => result,
        };
        // The error of `bail!` has no host.
        let result = result.map_err(|error| {
            let error = lost_after_use(error.into_error().or_on(host.as_ref()), &fresh);
            error.redacted(self.client.state().redactor()).into()
        });
        let here = host.unwrap_or_else(Host::local);
        let outcome = self.strategy.apply_to(&here, Outcome::of(result));
        self.report_once(&here, &outcome, began.elapsed());
        match outcome.error() {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// Reports the outcome of a host once. Later calls for the same host have no effect.
    pub(super) fn report_once(&self, host: &Host, outcome: &Outcome<()>, elapsed: Duration) {
        if !lock(&self.reported).insert(host.clone()) {
            return;
        }
        self.client.sink().event(&Event::TaskEnded {
            task: &self.call.task().shown_name(),
            host: self.has_hosts.then_some(host),
            outcome: outcome.kind(),
            elapsed,
            error: outcome.error(),
        });
    }
}
