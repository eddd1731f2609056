//! [`Group`]: several connections as one.

use std::num::NonZeroUsize;
use std::panic::Location;

use super::outcome::Outcome;
use super::outcomes::Outcomes;
use super::strategy::{Strategy, gone_again, spread};
use crate::client::{Client, IntoHost};
use crate::config::{OnFailure, OnUnreachable};
use crate::connection::{Command, Connection};
use crate::error::{Result, TaskError};
use crate::host::Host;
use crate::output::Output;
use crate::shell::{IntoShellLine, ShellLine};
use crate::state::RunState;
use crate::transport::Effect;

/// Several connections as one: each command runs on every host, in parallel up to a limit.
///
/// Runs on at most 64 hosts at a time, or on as many as the client's settings allow (`-P`, `--serial`). A low open file limit
/// (`ulimit -n`) lowers this number. Every host has its turn, whatever happens on the others. Whether an unreachable host
/// counts as a failure is also a setting of the client (`--skip-bad-hosts`).
#[derive(Debug, Clone)]
pub struct Group {
    connections: Vec<Connection>,
    strategy: Strategy,
}

impl Group {
    /// Returns a group of hosts; nothing is connected yet.
    ///
    /// Inside a run it belongs to the run, as [`Connection::to`] does. Outside, it has the settings of `ssh` and a client of
    /// its own.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn to<H: IntoHost>(hosts: impl IntoIterator<Item = H>) -> Result<Self> {
        Self::of(&Client::current_run().unwrap_or_else(|| Client::builder().build()), hosts)
    }

    /// Makes a group of hosts of a client.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn of<H: IntoHost>(client: &Client, hosts: impl IntoIterator<Item = H>) -> Result<Self> {
        let connections = hosts.into_iter().map(|host| client.connect(host)).collect::<Result<_>>()?;
        Ok(Self::new(connections))
    }

    /// Makes a group of connections, each with what it carries.
    pub fn new(connections: Vec<Connection>) -> Self {
        let settings = connections.first().and_then(Connection::state).map(RunState::settings);
        let strategy = settings.map_or_else(Strategy::default, Strategy::of);
        Self { connections, strategy: Strategy { on_failure: OnFailure::Continue, ..strategy } }
    }

    /// Works on at most `n` hosts at a time; at least on one. A smaller limit of the command line (`-P`, `--serial`) wins.
    pub fn limit(mut self, n: usize) -> Self {
        let wanted = NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        let settings = self.connections.first().and_then(Connection::state).map(RunState::settings);
        self.strategy.limit = settings.map_or(wanted, |settings| settings.parallel_limit_for(wanted));
        self
    }

    /// Returns the group with another strategy.
    pub(crate) fn with_strategy(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }

    /// Returns the part of the group that `keep` selects, with the same limits.
    pub fn filter(&self, keep: impl Fn(&Connection) -> bool) -> Self {
        let connections = self.connections.iter().filter(|connection| keep(connection)).cloned().collect();
        Self { connections, strategy: self.strategy }
    }

    /// Splits the group into batches of at most `size` hosts, in order and with the same limits.
    pub fn batches(&self, size: NonZeroUsize) -> impl Iterator<Item = Self> {
        let strategy = self.strategy;
        self.connections.chunks(size.get()).map(move |batch| Self { connections: batch.to_vec(), strategy })
    }

    /// Returns the group with connections that a stop of the run does not end: [`Connection::aside`].
    ///
    /// # Errors
    ///
    /// As [`Connection::aside`].
    pub fn aside(&self) -> Result<Self> {
        let connections = self.connections.iter().map(Connection::aside).collect::<Result<_>>()?;
        Ok(Self { connections, strategy: self.strategy })
    }

    /// Works on one host after the other, in the order in which they were named.
    pub fn serial(self) -> Self {
        self.limit(1)
    }

    /// Begins with no further host after the first that fails; those on their way are finished.
    pub fn stop_on_failure(mut self) -> Self {
        self.strategy.on_failure = OnFailure::Stop;
        self
    }

    /// Gives every host its turn, whatever happens on the others: the default.
    pub fn keep_going(mut self) -> Self {
        self.strategy.on_failure = OnFailure::Continue;
        self
    }

    /// Leaves out hosts that can't be reached: they count as skipped, and not as a failure.
    pub fn skip_unreachable(mut self) -> Self {
        self.strategy.on_unreachable = OnUnreachable::Skip;
        self
    }

    /// Counts hosts that can't be reached as failures, also under `--skip-bad-hosts`.
    pub fn require_all(mut self) -> Self {
        self.strategy.on_unreachable = OnUnreachable::Fail;
        self
    }

    /// Returns the connections.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Runs `body` for each host and returns what came of each, in the order in which they were named.
    ///
    /// Within `body`, the free functions (`run(..)`, `cd(..)`) mean the closure's host. A call of a task runs there too:
    /// `web.each(|_| deploy::call())`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops all bodies, and with them ends their commands.
    pub async fn each<T, E, Fut>(&self, body: impl Fn(Connection) -> Fut) -> Outcomes<T>
    where
        Fut: IntoFuture<Output = Result<T, E>>,
        E: Into<TaskError>,
    {
        let parts: Vec<Connection> = self.connections.iter().map(Connection::part).collect();
        let host = |connection: &Connection| connection.host().cloned().unwrap_or_else(Host::local);
        let hosts = parts.iter().map(|connection| (host(connection), Ok(connection.clone()))).collect();
        let stop = self.connections.first().and_then(Connection::state).map(|run| run.stop().clone());
        let outcomes = spread(hosts, self.strategy, stop.unwrap_or_default(), |connection| {
            // What `body` makes before its future is polled belongs to this host as well.
            let future = connection.enter_sync(|| body(connection.clone()).into_future());
            async move {
                let result = connection.enter(future).await;
                result
                    .map_err(|error| gone_again(error.into().into_error().or_on(connection.host()), &connection).into())
            }
        })
        .await;
        for (host, outcome) in &outcomes {
            if let (Outcome::Skipped(error), Some(client)) =
                (outcome, self.connections.first().and_then(Connection::client))
            {
                client.warn(Some(host), format!("skipped: {}", error.message()));
            }
        }
        for (whole, part) in self.connections.iter().zip(&parts) {
            whole.plan().end_with(part.plan());
        }
        outcomes
    }

    /// Runs a command on each host.
    #[track_caller]
    pub fn run(&self, line: impl IntoShellLine) -> impl Future<Output = Outcomes<Output>> {
        self.command(line.into_shell_line(), Effect::Changes, Location::caller())
    }

    /// Runs a command that only looks on each host.
    #[track_caller]
    pub fn probe(&self, line: impl IntoShellLine) -> impl Future<Output = Outcomes<Output>> {
        self.command(line.into_shell_line(), Effect::Reads, Location::caller())
    }

    async fn command(&self, line: ShellLine, effect: Effect, at: &'static Location<'static>) -> Outcomes<Output> {
        self.each(|connection| Command::new(connection, line.clone(), effect, at)).await
    }
}
