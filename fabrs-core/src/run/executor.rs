//! [`Executor`]: runs a [`Plan`], one call after the other, with the hosts of a call in parallel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::host_task::HostTask;
use super::report::{Report, StageReport};
use crate::client::Client;
use crate::config::OnFailure;
use crate::connection::Connection;
use crate::error::Result;
use crate::group::{Outcome, Outcomes, run_on_hosts};
use crate::host::Host;
use crate::lock::Lock;
use crate::plan::{Plan, Stage, StageHosts};
use crate::transport::StopLevel;

/// Hosts with their connections, or with the error of making the connection.
type Connections = Vec<(Host, Result<Connection>)>;

/// Skipped hosts.
type Skipped = Vec<(Host, Outcome<()>)>;

/// Runs plans with a client.
#[derive(Debug, Clone)]
pub struct Executor {
    client: Client,
}

impl Executor {
    /// Returns an executor for the runs of `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Runs a plan: one call after the other, with the hosts of a call in parallel.
    ///
    /// If tasks declare sudo, sudo is checked first on all of their hosts. After a failed check,
    /// nothing starts. With [`OnFailure::Continue`], the run starts without the failed hosts.
    ///
    /// A failed host takes no part in later calls, and a skipped host stays skipped. The first
    /// failure ends the run: started hosts finish, and the others do not start. With
    /// [`OnFailure::Continue`], the other hosts continue.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all commands. For an orderly stop, raise [`Client::stop`].
    pub async fn run(&self, plan: &Plan) -> Report {
        super::once::begin(&self.client);
        let mut reports = Vec::new();
        let (mut refused, mut dropped, mut ended) = (HashMap::new(), HashMap::new(), false);
        let mut is_sudo_checked = false;
        for stage in plan.stages() {
            // sudo is checked before the first change. With a deferred approval, sudo is checked
            // after the approval.
            if !is_sudo_checked && self.client.state().may_change() {
                is_sudo_checked = true;
                refused = super::sudo_check::check_sudo(plan, &self.client).await;
                dropped.extend(refused.keys().map(|host| (host.clone(), Outcome::NotStarted)));
                let stops = self.client.settings().on_failure == OnFailure::Stop;
                ended |= stops && refused.values().any(Outcome::is_failure);
            }
            // A failed check is reported for the task with sudo, not for earlier tasks.
            if stage.call.task().sudo {
                dropped.extend(refused.drain());
            }
            ended |= self.client.stop().level() > StopLevel::None;
            let hosts = if ended { Vec::new() } else { self.hosts(stage, &dropped) };
            let stop = self.client.stop().clone();
            let task = Arc::new(HostTask::new(stage, &self.client));
            let (lock, hosts, mut skipped) = self.lock(stage, hosts).await;
            let mut done: Vec<(Host, Outcome<()>)> = match lock {
                Ok(lock) => {
                    let body = |connection| task.spawn(connection);
                    let done = run_on_hosts(hosts, stage.strategy, stop, body).await;
                    if let Some(lock) = lock {
                        // A cancelled body may still change its host, so the lock outlives the
                        // body.
                        task.ended().await;
                        lock.release().await;
                    }
                    done.into_iter().collect()
                }
                // The error belongs to one host. The other hosts have not started.
                Err(error) => hosts
                    .into_iter()
                    .map(|(host, _)| {
                        let is_concerned = error.host().is_none_or(|of| *of == host);
                        let outcome =
                            if is_concerned { Outcome::of(Err(error.clone().into())) } else { Outcome::NotStarted };
                        (host, outcome)
                    })
                    .collect(),
            };
            done.append(&mut skipped);
            let done = Outcomes::new(done);
            let outcomes = all_outcomes(stage, &task, done, &dropped);
            // The next task has a separate plan, so an incomplete plan does not drop the host.
            let stays_in_run = |outcome: &Outcome<()>| matches!(outcome, Outcome::Ok(()) | Outcome::Incomplete(_));
            let left = outcomes.iter().filter(|(_, outcome)| !stays_in_run(outcome));
            dropped.extend(left.map(|(host, outcome)| (host.clone(), outcome_in_later_tasks(outcome))));
            ended |= outcomes.failed().next().is_some() && stage.strategy.on_failure == OnFailure::Stop;
            reports.push(StageReport { task: stage.call.task(), is_local: stage.hosts == StageHosts::Local, outcomes });
        }
        Report::new(reports)
    }

    /// Acquires the lock of a stage on all hosts of the stage. Skips unreachable hosts if the
    /// settings allow it.
    async fn lock(&self, stage: &Stage, mut hosts: Connections) -> (Result<Option<Lock>>, Connections, Skipped) {
        let mut skipped = Vec::new();
        loop {
            let connections: Vec<Connection> = hosts.iter().filter_map(|(_, host)| host.clone().ok()).collect();
            let error = match stage.call.lock(&connections).await {
                Ok(lock) => return (Ok(lock), hosts, skipped),
                Err(error) => error,
            };
            let Some(host) = error.host().cloned() else { return (Err(error), hosts, skipped) };
            let outcome = stage.strategy.apply_to(&host, Outcome::of(Err(error.clone().into())));
            if !matches!(outcome, Outcome::Skipped(_)) || !hosts.iter().any(|(known, _)| *known == host) {
                return (Err(error), hosts, skipped);
            }
            hosts.retain(|(known, _)| *known != host);
            skipped.push((host, outcome));
        }
    }

    /// Returns the hosts of a stage with their connections, without the dropped hosts.
    fn hosts(&self, stage: &Stage, dropped: &HashMap<Host, Outcome<()>>) -> Vec<(Host, Result<Connection>)> {
        let hosts = match &stage.hosts {
            StageHosts::Local => {
                return vec![(Host::local(), Ok(Connection::for_local_task(self.client.state().clone())))];
            }
            StageHosts::Remote(hosts) => hosts,
        };
        let left = hosts.iter().filter(|host| !dropped.contains_key(host));
        left.map(|host| (host.clone(), self.client.connect(host))).collect()
    }
}

/// Returns the outcomes of all hosts of a stage, and reports the hosts that never started.
fn all_outcomes(
    stage: &Stage,
    task: &HostTask,
    done: Outcomes<()>,
    dropped: &HashMap<Host, Outcome<()>>,
) -> Outcomes<()> {
    let hosts = match &stage.hosts {
        StageHosts::Local => vec![Host::local()],
        StageHosts::Remote(hosts) => hosts.clone(),
    };
    let mut done: HashMap<Host, Outcome<()>> = done.into_iter().collect();
    let all = hosts.into_iter().map(|host| {
        let outcome = done.remove(&host).or_else(|| dropped.get(&host).cloned()).unwrap_or(Outcome::NotStarted);
        task.report_once(&host, &outcome, Duration::ZERO);
        (host, outcome)
    });
    Outcomes::new(all.collect())
}

/// Returns the outcome of a dropped host in later tasks.
fn outcome_in_later_tasks(outcome: &Outcome<()>) -> Outcome<()> {
    match outcome {
        Outcome::Skipped(error) => Outcome::Skipped(error.clone()),
        _ => Outcome::NotStarted,
    }
}
