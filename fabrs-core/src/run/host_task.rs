//! One task of a run on each of its hosts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{Result, TaskError};
use crate::event::Event;
use crate::group::{Outcome, Strategy, gone_again};
use crate::host::Host;
use crate::plan::{Hosts, Stage};
use crate::task::{Call, catch_future};
use crate::transport::StopLevel;

/// A call of a task, with all that its runs on single hosts need.
#[derive(Debug)]
pub(super) struct HostTask {
    call: Call,
    strategy: Strategy,
    client: Client,
    /// Whether the task runs on hosts, and not as a `local` task.
    has_hosts: bool,
    /// The bodies that still exist, also those that were given up.
    bodies: TaskTracker,
    /// The hosts whose end was reported.
    reported: Mutex<HashSet<Host>>,
}

impl HostTask {
    pub(super) fn new(stage: &Stage, client: &Client) -> Self {
        Self {
            call: stage.call.clone(),
            strategy: stage.strategy,
            client: client.clone(),
            has_hosts: stage.hosts != Hosts::Here,
            bodies: TaskTracker::new(),
            reported: Mutex::default(),
        }
    }

    /// Starts the task on one host, in an async task of its own: a body that blocks its thread delays no other host, as long as
    /// the runtime has a free thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the task at its next `await`.
    pub(super) fn spawn(
        self: &Arc<Self>,
        connection: Connection,
    ) -> impl Future<Output = Result<(), TaskError>> + use<> {
        let this = Arc::clone(self);
        let task = self.call.task().shown_name();
        // Here, so that the hosts begin in the order of the plan.
        self.client.sink().event(&Event::TaskStarted { task: &task, host: connection.host() });
        let mut running = JoinSet::new();
        running.spawn(self.bodies.track_future(async move { this.run(connection).await }));
        async move {
            let ended = running.join_next().await;
            ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|error| Err(error.into()))
        }
    }

    /// Waits until no body exists any more, or until the run is to be killed. A body that was given up ends at its next `await`.
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
        // A panic on one host must not end the other hosts. State that it leaves half changed is the task's own.
        let fresh = connection.fresh();
        let result = catch_future(self.call.on(&fresh)).await;
        // The plan of a task that swallowed the error is incomplete, too: its later commands are not in it.
        let result = match (result, fresh.plan().get()) {
            (Ok(()), Some(ended)) => Err(ended.clone().into()),
            (result, _) => result,
        };
        // The error of a `bail!` has no host yet.
        let result = result.map_err(|error| {
            let error = gone_again(error.into_error().or_on(host.as_ref()), &fresh);
            error.redacted(self.client.state().redactor()).into()
        });
        let here = host.unwrap_or_else(Host::local);
        let outcome = self.strategy.judge(&here, Outcome::of(result));
        self.report_once(&here, &outcome, began.elapsed());
        match outcome.error() {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// Reports the outcome of a host, unless that was done before.
    pub(super) fn report_once(&self, host: &Host, outcome: &Outcome<()>, elapsed: Duration) {
        if !self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone()) {
            return;
        }
        self.client.sink().event(&Event::TaskEnded {
            task: &self.call.task().shown_name(),
            host: self.has_hosts.then_some(host),
            outcome: outcome.word(),
            elapsed,
            error: outcome.error(),
        });
    }
}
