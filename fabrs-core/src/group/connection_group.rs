//! [`Group`]: several connections as one.

use std::num::NonZeroUsize;
use std::panic::Location;

use super::batch_size::{BatchSizeError, IntoBatchSize};
use super::batches::Batches;
use super::outcome::Outcome;
use super::outcomes::Outcomes;
use super::strategy::{Strategy, lost_after_use, run_on_hosts};
use crate::client::{Client, IntoHost};
use crate::config::{OnFailure, OnUnreachable};
use crate::connection::{Command, Connection};
use crate::error::{Error, Result, TaskError};
use crate::host::Host;
use crate::output::Output;
use crate::shell::{IntoShellLine, ShellLine};
use crate::state::RunState;
use crate::transport::Effect;

/// Several connections as one. Each command runs on every host, in parallel up to a limit.
///
/// By default, at most 64 hosts run at a time. The settings of the client (`-P`, `--serial`) can
/// change this number, and the open file limit (`ulimit -n`) can lower it. A failure on one host
/// does not stop the others, except after [`stop_on_failure`](Self::stop_on_failure). An
/// unreachable host is a failure, unless the settings skip such hosts (`--skip-bad-hosts`).
#[derive(Debug, Clone)]
pub struct Group {
    connections: Vec<Connection>,
    strategy: Strategy,
    /// The error of an invalid limit, for every host.
    invalid_limit: Option<Error>,
}

impl Group {
    /// Returns a group of hosts. The connections open on first use.
    ///
    /// Inside a run, the group belongs to the run, like [`Connection::to`]. Outside a run, the
    /// group has the settings of `ssh` and its own client.
    ///
    /// ```
    /// # use fabrs_core::Group;
    /// let web = Group::to(["web1", "web2"])?.limit(20);
    /// assert_eq!(web.connections().len(), 2);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn to<H: IntoHost>(hosts: impl IntoIterator<Item = H>) -> Result<Self> {
        Self::of(&Client::current_run().unwrap_or_else(|| Client::builder().build()), hosts)
    }

    /// Returns a group of hosts with the connections of `client`.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn of<H: IntoHost>(client: &Client, hosts: impl IntoIterator<Item = H>) -> Result<Self> {
        let connections = hosts.into_iter().map(|host| client.connect(host)).collect::<Result<_>>()?;
        Ok(Self::new(connections))
    }

    /// Returns a group of connections. Each keeps its directory, environment and prefixes.
    pub fn new(connections: Vec<Connection>) -> Self {
        let settings = connections.first().and_then(Connection::state).map(RunState::settings);
        let strategy = settings.map_or_else(Strategy::default, Strategy::of);
        let strategy = Strategy { on_failure: OnFailure::Continue, ..strategy };
        Self { connections, strategy, invalid_limit: None }
    }

    /// Runs on at most this many hosts at a time: a number (`20`), or a percentage of the hosts of
    /// this group (`"25%"`), rounded down. The minimum is 1. A smaller limit of the command line
    /// (`-P`, `--serial`) takes precedence.
    ///
    /// After an invalid text, such as `"x%"`, every host fails with
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    ///
    /// ```
    /// # use fabrs_core::Group;
    /// let web = Group::to(["web1", "web2", "web3", "web4"])?.limit(3);
    /// assert_eq!(web.strategy().limit.get(), 3);
    /// assert_eq!(web.limit("50%").strategy().limit.get(), 2);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn limit(mut self, hosts: impl IntoBatchSize) -> Self {
        self.invalid_limit = None;
        let wanted = match hosts.into_batch_size() {
            Ok(size) => size.hosts_of(self.connections.len()),
            Err(BatchSizeError::Zero(_)) => NonZeroUsize::MIN,
            Err(error) => {
                self.invalid_limit = Some(error.into_usage_error());
                NonZeroUsize::MIN
            }
        };
        let settings = self.connections.first().and_then(Connection::state).map(RunState::settings);
        self.strategy.limit = settings.map_or(wanted, |settings| settings.parallel_limit_for(wanted));
        self
    }

    /// Returns the number of hosts at a time, and the reaction to failures.
    ///
    /// ```
    /// # use fabrs_core::Group;
    /// let web = Group::to(["web1", "web2"])?.serial();
    /// assert_eq!(web.strategy().limit.get(), 1);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Returns a group of other connections with the same strategy.
    fn with_connections(&self, connections: Vec<Connection>) -> Self {
        Self { connections, strategy: self.strategy, invalid_limit: self.invalid_limit.clone() }
    }

    /// Returns the group with another strategy.
    pub(crate) fn with_strategy(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }

    /// Returns a group of the connections selected by `keep`, with the same limits.
    pub fn filter(&self, keep: impl Fn(&Connection) -> bool) -> Self {
        self.with_connections(self.connections.iter().filter(|connection| keep(connection)).cloned().collect())
    }

    /// Sorts the connections by a key, with the same limits. Connections with equal keys keep their
    /// order.
    ///
    /// ```
    /// # use fabrs_core::{Client, Group};
    /// # let client = Client::builder().dial(fabrs_core::transport::Fake::new()).build();
    /// let web = Group::of(&client, ["web2", "web1"])?;
    /// let sorted = web.sort_by_key(|host| host.host().map(ToString::to_string));
    /// assert_eq!(sorted.connections()[0].host().map(ToString::to_string).as_deref(), Some("web1"));
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    #[must_use]
    pub fn sort_by_key<K: Ord>(&self, key: impl FnMut(&Connection) -> K) -> Self {
        let mut connections = self.connections.clone();
        connections.sort_by_key(key);
        self.with_connections(connections)
    }

    /// Splits the group into batches, in order and with the same limits. The last size repeats
    /// until all hosts are in a batch. A percentage refers to the hosts of this group.
    ///
    /// ```
    /// # use fabrs_core::{Group, TaskError};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), TaskError> {
    /// # let client = fabrs_core::Client::builder().dial(fabrs_core::transport::Fake::new()).build();
    /// let web = Group::of(&client, ["web1", "web2", "web3", "web4", "web5"])?;
    /// let sizes = |batches: Vec<Group>| batches.iter().map(|b| b.connections().len()).collect::<Vec<_>>();
    /// assert_eq!(sizes(web.batches([2])?), [2, 2, 1]);
    /// assert_eq!(sizes(web.batches(["1", "100%"])?), [1, 4]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for an empty list or an invalid size, such as
    /// 0 or `"0%"`.
    pub fn batches<S: IntoBatchSize>(&self, sizes: impl IntoIterator<Item = S>) -> Result<Vec<Self>> {
        let mut rest = self.connections.as_slice();
        let batches =
            Batches::new(sizes).map_err(BatchSizeError::into_usage_error)?.sizes(rest.len()).into_iter().map(|size| {
                let (batch, later) = rest.split_at(size.min(rest.len()));
                rest = later;
                self.with_connections(batch.to_vec())
            });
        Ok(batches.collect())
    }

    /// Returns the group with uncancellable connections: a stop of the run does not cancel their
    /// commands. See [`Connection::uncancellable`].
    ///
    /// # Errors
    ///
    /// As [`Connection::uncancellable`].
    pub fn uncancellable(&self) -> Result<Self> {
        let connections = self.connections.iter().map(Connection::uncancellable).collect::<Result<_>>()?;
        Ok(self.with_connections(connections))
    }

    /// Runs on one host after the other, in the order of the group.
    ///
    /// ```
    /// # use fabrs_core::Group;
    /// let web = Group::to(["web1", "web2"])?.serial();
    /// # assert_eq!(web.connections().len(), 2);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn serial(self) -> Self {
        self.limit(1)
    }

    /// Starts no further host after the first failure. Hosts already started run to their end.
    ///
    /// ```
    /// # use fabrs_core::{Client, Group, Outcome, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let hosts = Fake::new().on("false", FakeAnswer::code(1));
    /// # let client = Client::builder().dial(hosts).build();
    /// let web = Group::of(&client, ["web1", "web2"])?.serial().stop_on_failure();
    /// let outcomes = web.run("false").await;
    /// let web2 = "web2".parse().expect("a host");
    /// assert!(matches!(outcomes.get(&web2), Some(Outcome::NotStarted)));
    /// # Ok(()) }
    /// ```
    pub fn stop_on_failure(mut self) -> Self {
        self.strategy.on_failure = OnFailure::Stop;
        self
    }

    /// Runs on every host, also after failures. This is the default.
    ///
    /// ```
    /// # use fabrs_core::Group;
    /// let web = Group::to(["web1", "web2"])?.keep_going();
    /// # assert_eq!(web.connections().len(), 2);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn keep_going(mut self) -> Self {
        self.strategy.on_failure = OnFailure::Continue;
        self
    }

    /// Skips unreachable hosts: their outcome is [`Outcome::Skipped`], not a failure.
    ///
    /// ```
    /// # use fabrs_core::{Client, Group, Outcome, transport::Fake};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let client = Client::builder().dial(Fake::new().unreachable("web2")).build();
    /// let web = Group::of(&client, ["web1", "web2"])?.skip_unreachable();
    /// let outcomes = web.probe("true").await;
    /// let web2 = "web2".parse().expect("a host");
    /// assert!(matches!(outcomes.get(&web2), Some(Outcome::Skipped(_))));
    /// # Ok(()) }
    /// ```
    pub fn skip_unreachable(mut self) -> Self {
        self.strategy.on_unreachable = OnUnreachable::Skip;
        self
    }

    /// Counts unreachable hosts as failures, also under `--skip-bad-hosts`.
    ///
    /// ```
    /// # use fabrs_core::Group;
    /// let web = Group::to(["web1", "web2"])?.require_all();
    /// # assert_eq!(web.connections().len(), 2);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn require_all(mut self) -> Self {
        self.strategy.on_unreachable = OnUnreachable::Fail;
        self
    }

    /// Returns the connections.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Runs `body` on each host, and returns the outcome of each host in the order of the group.
    ///
    /// Inside `body`, the free functions (`run(..)`, `cd(..)`) use the connection passed to `body`.
    /// A task call runs on the same host: `web.each(|_| deploy::call())`.
    ///
    /// ```
    /// # use fabrs_core::{Client, Group, transport::{Fake, FakeAnswer}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let hosts = Fake::new().on("uname -r", FakeAnswer::stdout("6.1.0\n"));
    /// # let client = Client::builder().dial(hosts).build();
    /// let web = Group::of(&client, ["web1", "web2"])?;
    /// let kernels = web.each(|c| async move { c.probe("uname -r").line().await }).await;
    /// assert_eq!(kernels.all_ok()?.len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops all bodies and ends their commands.
    pub async fn each<T, E, Fut>(&self, body: impl Fn(Connection) -> Fut) -> Outcomes<T>
    where
        Fut: IntoFuture<Output = Result<T, E>>,
        E: Into<TaskError>,
    {
        let parts: Vec<Connection> = self.connections.iter().map(Connection::with_plan_part).collect();
        let host = |connection: &Connection| connection.host().cloned().unwrap_or_else(Host::local);
        let usable = |connection: &Connection| match &self.invalid_limit {
            Some(error) => Err(error.clone().or_on(connection.host())),
            None => Ok(connection.clone()),
        };
        let hosts = parts.iter().map(|connection| (host(connection), usable(connection))).collect();
        let stop = self.connections.first().and_then(Connection::state).map(|run| run.stop().clone());
        let outcomes = run_on_hosts(hosts, self.strategy, stop.unwrap_or_default(), |connection| {
            // Commands created by `body` outside its future use the same connection.
            let future = connection.enter_sync(|| body(connection.clone()).into_future());
            async move {
                let result = connection.enter(future).await;
                result.map_err(|error| {
                    lost_after_use(error.into().into_error().or_on(connection.host()), &connection).into()
                })
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
            whole.plan_end().end_with(part.plan_end());
        }
        outcomes
    }

    /// Runs a command on each host.
    #[track_caller]
    pub fn run(&self, line: impl IntoShellLine) -> impl Future<Output = Outcomes<Output>> {
        self.command(line.into_shell_line(), Effect::Changes, Location::caller())
    }

    /// Runs a read-only command on each host, also in a dry run.
    #[track_caller]
    pub fn probe(&self, line: impl IntoShellLine) -> impl Future<Output = Outcomes<Output>> {
        self.command(line.into_shell_line(), Effect::Reads, Location::caller())
    }

    async fn command(&self, line: ShellLine, effect: Effect, at: &'static Location<'static>) -> Outcomes<Output> {
        self.each(|connection| Command::new(connection, line.clone(), effect, at)).await
    }
}
