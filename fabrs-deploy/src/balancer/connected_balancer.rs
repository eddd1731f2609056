//! The hosts of a balancer in one run: changes on all of them, or on none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fabrs::config::Mode;
use fabrs::transport::StopLevel;
use fabrs::{Client, Connection, Error, ErrorKind, TaskError};
use futures::future::join_all;
use tokio::time::{Instant, timeout};

use crate::balancer::balancer::{Balancer, BalancerServer, ServerHealth, ServerState};

/// The pause between two requests for the state of a balancer.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The balancer of a site.
#[derive(Clone)]
pub(crate) struct SharedBalancer(Arc<dyn Balancer>);

impl SharedBalancer {
    pub(crate) fn new(balancer: impl Balancer) -> Self {
        Self(Arc::new(balancer))
    }

    /// Returns the name of the balancer in messages.
    pub(crate) fn name(&self) -> String {
        self.0.name()
    }

    /// Checks the settings of the balancer.
    ///
    /// # Errors
    ///
    /// As [`Balancer::check`]. [`ErrorKind::Usage`] without balancer hosts.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.0.hosts().is_none() {
            return Err(self.without_hosts());
        }
        self.0.check()
    }

    fn without_hosts(&self) -> Error {
        let error = Error::new(ErrorKind::Usage, format!("{} has no hosts", self.0.name()));
        error.hint("set the hosts of the balancer: `.on(role(\"lb\"))`, with a host in the role")
    }
}

impl fmt::Debug for SharedBalancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name())
    }
}

/// A balancer with connections to all its hosts.
#[derive(Debug)]
pub(crate) struct ConnectedBalancer {
    balancer: SharedBalancer,
    hosts: Vec<Connection>,
    client: Client,
}

/// A balancer over two kinds of connections.
#[derive(Debug)]
pub(crate) struct BalancerConnections {
    /// The connections of the run.
    pub(crate) run: ConnectedBalancer,
    /// The connections unaffected by a stop of the run.
    pub(crate) recovery: ConnectedBalancer,
}

impl BalancerConnections {
    /// Resolves the hosts of a balancer.
    ///
    /// # Errors
    ///
    /// As [`ConnectedBalancer::new`] and [`ConnectedBalancer::uncancellable`].
    pub(crate) fn new(balancer: &SharedBalancer, client: &Client) -> Result<Self, Error> {
        let run = ConnectedBalancer::new(balancer, client)?;
        Ok(Self { recovery: run.uncancellable()?, run })
    }
}

/// A server on one host of a balancer, with its state before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerEntry {
    /// The index of the balancer host.
    host: usize,
    pub(crate) name: String,
    pub(crate) before: ServerState,
}

impl ServerEntry {
    /// Returns the server with the old state [`ServerState::Ready`].
    pub(crate) fn ready_before(self) -> Self {
        Self { before: ServerState::Ready, ..self }
    }

    /// Returns `true` if two entries are the same server on the same balancer host.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.host == other.host && self.name == other.name
    }
}

/// A change of a server on one host of a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateChange {
    pub(crate) server: ServerEntry,
    pub(crate) to: ServerState,
}

/// The servers on one host of a balancer.
#[derive(Debug)]
pub(crate) struct HostServers {
    host: usize,
    /// The name of the balancer host.
    pub(crate) label: String,
    pub(crate) servers: Vec<BalancerServer>,
}

impl HostServers {
    /// Returns a server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the balancer host has no such server.
    fn find(&self, balancer: &ConnectedBalancer, name: &str) -> Result<(ServerEntry, &BalancerServer), Error> {
        let found = self.servers.iter().find(|server| server.name == name).ok_or_else(|| {
            let error = Error::new(ErrorKind::Task, format!("{} has no server `{name}`", balancer.name()));
            let names: Vec<&str> = self.servers.iter().map(|server| server.name.as_str()).collect();
            let hint = format!("set the name of the server with `.server_name(..)`: {}", names.join(", "));
            balancer.on_host(self.host, error).hint(hint)
        })?;
        Ok((ServerEntry { host: self.host, name: name.to_owned(), before: found.state }, found))
    }

    /// Returns the server with this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the balancer host has no such server.
    pub(crate) fn server(&self, balancer: &ConnectedBalancer, name: &str) -> Result<ServerEntry, Error> {
        Ok(self.find(balancer, name)?.0)
    }

    /// Returns the servers with these names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the balancer host has no such server.
    pub(crate) fn find_all<'a>(
        &'a self,
        balancer: &'a ConnectedBalancer,
        names: &'a [String],
    ) -> Result<Vec<(ServerEntry, &'a BalancerServer)>, Error> {
        names.iter().map(|name| self.find(balancer, name)).collect()
    }

    /// Returns `true` if the server with this name receives requests.
    pub(crate) fn is_active(&self, name: &str) -> bool {
        self.servers.iter().any(|server| server.name == name && server.is_active())
    }

    /// Returns `true` if an active server remains without the servers of these names.
    pub(crate) fn has_others_than(&self, names: &[String]) -> bool {
        self.servers.iter().any(|server| server.is_active() && !names.contains(&server.name))
    }
}

impl ConnectedBalancer {
    /// Resolves the hosts of a balancer.
    ///
    /// # Errors
    ///
    /// As [`SharedBalancer::check`]. [`ErrorKind::Usage`] for an unknown role or an invalid name.
    pub(crate) fn new(balancer: &SharedBalancer, client: &Client) -> Result<Self, Error> {
        balancer.check()?;
        let hosts = match balancer.0.hosts() {
            Some(hosts) => hosts.connections(client)?,
            None => Vec::new(),
        };
        if hosts.is_empty() {
            return Err(balancer.without_hosts());
        }
        Ok(Self { balancer: balancer.clone(), hosts, client: client.clone() })
    }

    /// Returns the balancer with connections unaffected by a stop of the run.
    ///
    /// # Errors
    ///
    /// As [`Connection::uncancellable`].
    pub(crate) fn uncancellable(&self) -> Result<Self, Error> {
        let hosts = self.hosts.iter().map(Connection::uncancellable).collect::<Result<_, _>>()?;
        Ok(Self { balancer: self.balancer.clone(), hosts, client: self.client.uncancellable() })
    }

    /// Returns the name of the balancer.
    pub(crate) fn name(&self) -> String {
        self.balancer.0.name()
    }

    /// Returns the settings and actions of the balancer.
    pub(crate) fn settings(&self) -> &dyn Balancer {
        &*self.balancer.0
    }

    /// Returns the names of the servers of deployed hosts.
    ///
    /// # Errors
    ///
    /// As [`Balancer::server_name`].
    pub(crate) fn names_of(&self, hosts: &[Connection]) -> Result<Vec<String>, Error> {
        hosts.iter().map(|host| self.settings().server_name(host)).collect()
    }

    /// Returns the name of a balancer host.
    pub(crate) fn label_of(&self, server: &ServerEntry) -> String {
        self.label(server.host)
    }

    fn label(&self, host: usize) -> String {
        let host = self.hosts.get(host).and_then(Connection::host);
        host.map_or_else(String::new, |host| host.label().to_string())
    }

    fn on_host(&self, host: usize, error: Error) -> Error {
        match (error.host(), self.hosts.get(host).and_then(Connection::host)) {
            (None, Some(host)) => error.on(host),
            _ => error,
        }
    }

    /// Checks access to every host of the balancer.
    ///
    /// # Errors
    ///
    /// As [`Balancer::preflight`].
    pub(crate) async fn preflight(&self) -> Result<(), TaskError> {
        for (number, host) in self.hosts.iter().enumerate() {
            let checked = self.settings().preflight(host.clone()).await;
            checked.map_err(|error| self.on_host(number, error.into_error()))?;
        }
        Ok(())
    }

    /// Returns the servers on every host of the balancer.
    ///
    /// # Errors
    ///
    /// As [`Balancer::servers`].
    pub(crate) async fn servers(&self) -> Result<Vec<HostServers>, TaskError> {
        let mut all = Vec::new();
        for (number, host) in self.hosts.iter().enumerate() {
            let servers = self.settings().servers(host.clone()).await;
            let servers = servers.map_err(|error| self.on_host(number, error.into_error()))?;
            all.push(HostServers { host: number, label: self.label(number), servers });
        }
        Ok(all)
    }

    /// Applies changes on one balancer host after the other. After a failure, the changed hosts get
    /// their old states back, over `recovery`.
    ///
    /// # Errors
    ///
    /// As [`Balancer::set_states`], with the failed balancer host. The hint lists the hosts without
    /// their old states.
    pub(crate) async fn apply(&self, changes: &[StateChange], recovery: &Self) -> Result<(), Error> {
        for number in 0..self.hosts.len() {
            if let Err(error) = self.set(number, changes).await {
                let text = format!("could not change the servers of {}", self.name());
                let error = TaskError::from(error).context(text).into_error();
                let back: Vec<StateChange> = changes
                    .iter()
                    .filter(|change| change.server.host <= number)
                    .map(|change| StateChange { to: change.server.before, ..change.clone() })
                    .collect();
                let mut stuck = Vec::new();
                // The failed host may have applied its changes before the failure.
                for changed in 0..=number {
                    if recovery.set(changed, &back).await.is_err() {
                        stuck.push(self.label(changed));
                    }
                }
                return Err(if stuck.is_empty() {
                    error
                } else {
                    error.hint(format!("restore the states of the servers on {} by hand", stuck.join(", ")))
                });
            }
        }
        Ok(())
    }

    /// Applies changes on every balancer host, also after failures.
    ///
    /// # Errors
    ///
    /// The first error, with its balancer host.
    pub(crate) async fn apply_where_possible(&self, changes: &[StateChange]) -> Result<(), Error> {
        let mut result = Ok(());
        for number in 0..self.hosts.len() {
            result = result.and(self.set(number, changes).await);
        }
        result
    }

    /// Applies the changes of one balancer host.
    async fn set(&self, number: usize, changes: &[StateChange]) -> Result<(), Error> {
        let Some(host) = self.hosts.get(number) else { return Ok(()) };
        let states: Vec<(String, ServerState)> = changes
            .iter()
            .filter(|change| change.server.host == number)
            .map(|change| (change.server.name.clone(), change.to))
            .collect();
        if states.is_empty() {
            return Ok(());
        }
        let set = self.settings().set_states(host.clone(), states).await;
        set.map_err(|error| self.on_host(number, error.into_error()))
    }

    /// Waits for the end of the sessions of these servers, up to [`Balancer::drain_limit`], and
    /// warns about other sessions. A dry run does not wait.
    ///
    /// # Errors
    ///
    /// As [`wait_until`](Self::wait_until).
    pub(crate) async fn wait_for_sessions(&self, servers: &[ServerEntry]) -> Result<(), TaskError> {
        // A dry run drains no server, so its sessions do not end.
        if self.client.settings().mode != Mode::Run {
            return Ok(());
        }
        let limit = self.settings().drain_limit();
        let is_idle = |server: &BalancerServer| server.sessions.is_none_or(|sessions| sessions == 0);
        let busy = self.wait_until(servers, limit, is_idle).await?;
        if !busy.is_empty() {
            let limit = humantime::format_duration(limit);
            let text = format!("sessions are still open after {limit} on {}: the deploy continues", busy.join(", "));
            self.client.warn(None, text);
        }
        Ok(())
    }

    /// Waits until the health check of the balancer passes for these servers. A dry run does not
    /// wait.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the check does not pass within [`Balancer::up_limit`], and as
    /// [`wait_until`](Self::wait_until).
    pub(crate) async fn wait_until_up(&self, servers: &[ServerEntry]) -> Result<(), TaskError> {
        if self.client.settings().mode != Mode::Run {
            return Ok(());
        }
        let is_up = |server: &BalancerServer| server.health == ServerHealth::Up;
        let down = self.wait_until(servers, self.settings().up_limit(), is_up).await?;
        if down.is_empty() {
            return Ok(());
        }
        let text = format!("{}: the health check of the balancer fails for {}", self.name(), down.join(", "));
        let hint = "the health check of the site has passed: compare its URL with the check of the balancer";
        Err(Error::new(ErrorKind::Task, text).hint(hint).into())
    }

    /// Closes the connections of this balancer, and so ends their commands.
    pub(crate) async fn close(&self, limit: Duration) {
        join_all(self.hosts.iter().map(|host| timeout(limit, host.close()))).await;
    }

    /// Waits up to a limit until a condition is true for all these servers. Returns the other
    /// servers as text.
    ///
    /// # Errors
    ///
    /// As [`Balancer::servers`]. [`ErrorKind::Cancelled`] after a stop of the run.
    pub(crate) async fn wait_until(
        &self,
        servers: &[ServerEntry],
        limit: Duration,
        is_done: impl Fn(&BalancerServer) -> bool,
    ) -> Result<Vec<String>, TaskError> {
        let (stop, end) = (self.client.stop(), Instant::now() + limit);
        loop {
            let mut waiting = Vec::new();
            for on_host in self.servers().await? {
                let ours = servers.iter().filter(|server| server.host == on_host.host);
                for server in ours {
                    let (_, found) = on_host.find(self, &server.name)?;
                    if !is_done(found) {
                        waiting.push(format!("{} on {}", server.name, on_host.label));
                    }
                }
            }
            let rest = end.saturating_duration_since(Instant::now());
            if waiting.is_empty() || rest.is_zero() {
                return Ok(waiting);
            }
            if timeout(rest.min(POLL_INTERVAL), stop.wait_above(StopLevel::None)).await.is_ok() {
                let text = format!("the wait for {} was cancelled", self.name());
                return Err(Error::new(ErrorKind::Cancelled, text).into());
            }
        }
    }
}
