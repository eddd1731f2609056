//! The [`Balancer`] trait, and a server of a balancer.

use std::pin::Pin;
use std::time::Duration;

use fabrs::{Connection, Error, TaskError};

use crate::release::side::BlueGreenSide;
use crate::scope::HostSubset;

/// The future of a request to a balancer.
pub type BalancerFuture<T> = Pin<Box<dyn Future<Output = Result<T, TaskError>> + Send>>;

/// A load balancer with a list of servers: [`HaProxy`](crate::HaProxy),
/// [`NginxUpstream`](crate::NginxUpstream), or your own.
///
/// A deploy changes the same servers on all hosts of the balancer, one host after the other. If a
/// host fails, the earlier hosts get their old states back.
///
/// ```
/// use fabrs::Connection;
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Balancer, BalancerFuture, BalancerServer, HostSubset, ServerState, Site};
///
/// /// A balancer with a command line.
/// struct Ctl;
///
/// impl Balancer for Ctl {
///     fn name(&self) -> String {
///         "balancerctl".to_owned()
///     }
///
///     fn hosts(&self) -> Option<HostSubset> {
///         Some(role("lb").into())
///     }
///
///     fn servers(&self, balancer: Connection) -> BalancerFuture<Vec<BalancerServer>> {
///         Box::pin(async move {
///             let names = balancer.probe("balancerctl list --ready").lines().await?;
///             Ok(names.iter().map(|name| BalancerServer::new(name, ServerState::Ready)).collect())
///         })
///     }
///
///     fn set_states(
///         &self,
///         balancer: Connection,
///         states: Vec<(String, ServerState)>,
///     ) -> BalancerFuture<()> {
///         Box::pin(async move {
///             for (server, state) in states {
///                 let verb = if state == ServerState::Ready { "enable" } else { "disable" };
///                 balancer.run(cmd!("balancerctl {verb} {server}")).await?;
///             }
///             Ok(())
///         })
///     }
/// }
///
/// let site = Site::new("/srv/shop").rolling(1).balancer(Ctl);
/// # drop(site);
/// ```
pub trait Balancer: Send + Sync + 'static {
    /// Returns the name of the balancer in messages: `HAProxy backend shop`.
    fn name(&self) -> String;

    /// Checks the settings, before a deploy changes anything. Defaults to no check.
    ///
    /// # Errors
    ///
    /// An invalid setting.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the hosts of the balancer. A deploy without these hosts is refused.
    fn hosts(&self) -> Option<HostSubset>;

    /// Returns the server name of a deployed host. Defaults to the name of the host.
    ///
    /// # Errors
    ///
    /// A missing or invalid setting of the host.
    fn server_name(&self, host: &Connection) -> Result<String, Error> {
        Ok(host.host().map(|host| host.name().to_owned()).unwrap_or_default())
    }

    /// Returns the server name of one side of a deployed host, for [`BlueGreen`](crate::BlueGreen).
    /// Defaults to the server name with the side: `web1-blue`.
    ///
    /// # Errors
    ///
    /// As [`server_name`](Self::server_name).
    fn side_server_name(&self, host: &Connection, side: BlueGreenSide, port: u16) -> Result<String, Error> {
        let _ = port;
        Ok(format!("{}-{side}", self.server_name(host)?))
    }

    /// Returns the longest wait for the end of the sessions of a drained server. Defaults to 30 s.
    fn drain_limit(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Returns the longest wait for the health check of the balancer to pass. Defaults to 1 min.
    fn up_limit(&self) -> Duration {
        Duration::from_mins(1)
    }

    /// Returns the state of a server that must receive no requests: during a restart after the end
    /// of its sessions, or on the idle side. Defaults to [`ServerState::Drained`].
    fn disabled_state(&self) -> ServerState {
        ServerState::Drained
    }

    /// Checks access to the balancer on one of its hosts, before a deploy changes anything. The
    /// default lists the servers.
    ///
    /// # Errors
    ///
    /// Missing programs, files or permissions.
    fn preflight(&self, balancer: Connection) -> BalancerFuture<()> {
        let servers = self.servers(balancer);
        Box::pin(async move { servers.await.map(drop) })
    }

    /// Returns the servers on one host of the balancer, without any change.
    ///
    /// # Errors
    ///
    /// The balancer does not respond.
    fn servers(&self, balancer: Connection) -> BalancerFuture<Vec<BalancerServer>>;

    /// Sets the states of servers on one host of the balancer, all in one step if possible.
    ///
    /// # Errors
    ///
    /// The balancer refuses a change, or does not respond.
    fn set_states(&self, balancer: Connection, states: Vec<(String, ServerState)>) -> BalancerFuture<()>;
}

/// The state of a server, as set by an operator or a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerState {
    /// The server receives requests.
    Ready,
    /// The server receives no new clients. Clients bound to the server by a cookie may remain.
    Drained,
    /// The server receives no requests.
    Maintenance,
}

/// The result of the health check of a balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerHealth {
    /// The health check passes, or the server has no health check.
    Up,
    /// The server counts as up until its next health check: it has just left maintenance, or its
    /// result is changing.
    Unconfirmed,
    /// The health check fails.
    Down,
}

/// A server on one host of a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BalancerServer {
    /// The name.
    pub name: String,
    /// The state set by an operator or a deploy.
    pub state: ServerState,
    /// The result of the health check of the balancer.
    pub health: ServerHealth,
    /// The number of current sessions. `None` if the balancer does not report sessions.
    pub sessions: Option<u64>,
}

impl BalancerServer {
    /// Creates a server that is up.
    ///
    /// ```
    /// use fabrs_deploy::{BalancerServer, ServerState};
    ///
    /// assert!(BalancerServer::new("web1", ServerState::Ready).is_active());
    /// ```
    pub fn new(name: impl Into<String>, state: ServerState) -> Self {
        Self { name: name.into(), state, health: ServerHealth::Up, sessions: None }
    }

    /// Sets the result of the health check of the balancer.
    ///
    /// ```
    /// use fabrs_deploy::{BalancerServer, ServerHealth, ServerState};
    ///
    /// let server = BalancerServer::new("web1", ServerState::Ready);
    /// assert!(!server.health(ServerHealth::Down).is_active());
    /// ```
    #[must_use]
    pub fn health(self, health: ServerHealth) -> Self {
        Self { health, ..self }
    }

    /// Sets the number of current sessions.
    ///
    /// ```
    /// use fabrs_deploy::{BalancerServer, ServerState};
    ///
    /// assert_eq!(BalancerServer::new("web1", ServerState::Drained).sessions(2).sessions, Some(2));
    /// ```
    #[must_use]
    pub fn sessions(self, sessions: u64) -> Self {
        Self { sessions: Some(sessions), ..self }
    }

    /// Returns whether the server receives requests.
    ///
    /// ```
    /// use fabrs_deploy::{BalancerServer, ServerState};
    ///
    /// assert!(!BalancerServer::new("web1", ServerState::Drained).is_active());
    /// ```
    pub fn is_active(&self) -> bool {
        self.state == ServerState::Ready && self.health != ServerHealth::Down
    }
}
