//! The drained hosts of a rollout, with the states of their servers before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fabrs::{Connection, Error, Host};

use crate::balancer::{BalancerConnections, ServerEntry, ServerState, StateChange};
use crate::deploy::connected_site::ConnectedSite;

/// The drained hosts of a rollout.
#[derive(Debug)]
pub(super) struct Drains {
    connections: Option<BalancerConnections>,
    /// Held from the check of the active servers to the change of the balancer.
    pub(super) balancer_lock: tokio::sync::Mutex<()>,
    drained: Mutex<HashMap<Host, DrainedHost>>,
    /// The servers that received requests before this run drained them.
    up_before: Mutex<Vec<ServerEntry>>,
}

/// A host outside its balancer.
#[derive(Debug, Clone, Default)]
pub(super) struct DrainedHost {
    /// The changed servers. Empty for a site with steps instead of a balancer.
    pub(super) servers: Vec<DrainedServer>,
    pub(super) progress: DrainProgress,
}

/// The progress of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DrainProgress {
    /// The drain was requested.
    #[default]
    Requested,
    /// The balancer has confirmed the drain.
    Drained,
    /// The return was requested. The balancer may send requests to the host again.
    Returning,
}

/// A changed server on one host of a balancer.
#[derive(Debug, Clone)]
pub(super) struct DrainedServer {
    pub(super) server: ServerEntry,
    /// `true` if the health check of the balancer must pass after the return: the balancer sent
    /// requests to the server before this run, or an earlier run has drained the server.
    pub(super) must_be_up: bool,
}

impl DrainedHost {
    /// Returns the changes to the old states.
    pub(super) fn changes_back(&self) -> Vec<StateChange> {
        self.servers.iter().map(|drained| drained.change_to(drained.server.before)).collect()
    }
}

impl DrainedServer {
    pub(super) fn change_to(&self, to: ServerState) -> StateChange {
        StateChange { server: self.server.clone(), to }
    }
}

impl Drains {
    /// Resolves the balancer of a site. No host is drained.
    ///
    /// # Errors
    ///
    /// As [`BalancerConnections::new`].
    pub(super) fn new(hosts: &ConnectedSite) -> Result<Self, Error> {
        let connections = match &hosts.site.balancer {
            None => None,
            Some(balancer) => Some(BalancerConnections::new(balancer, hosts.client())?),
        };
        Ok(Self {
            connections,
            balancer_lock: tokio::sync::Mutex::default(),
            drained: Mutex::default(),
            up_before: Mutex::default(),
        })
    }

    /// Returns the balancer of the site.
    pub(super) fn connections(&self) -> Option<&BalancerConnections> {
        self.connections.as_ref()
    }

    fn drained(&self) -> MutexGuard<'_, HashMap<Host, DrainedHost>> {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the record of a drained host.
    pub(super) fn of(&self, host: &Connection) -> Option<DrainedHost> {
        self.drained().get(host.host()?).cloned()
    }

    /// Records a drained host, before the first change of its balancer.
    pub(super) fn insert(&self, host: &Connection, drained: DrainedHost) {
        let up = drained.servers.iter().filter(|drained| drained.must_be_up).map(|drained| drained.server.clone());
        self.up_before.lock().unwrap_or_else(PoisonError::into_inner).extend(up);
        if let Some(host) = host.host() {
            self.drained().insert(host.clone(), drained);
        }
    }

    /// Returns `true` if this run has drained a server that received requests.
    pub(super) fn was_up(&self, server: &ServerEntry) -> bool {
        let up_before = self.up_before.lock().unwrap_or_else(PoisonError::into_inner);
        up_before.iter().any(|up| up.is_same_server(server))
    }

    /// Records the progress of a drained host.
    pub(super) fn set_progress(&self, host: &Connection, progress: DrainProgress) {
        let Some(host) = host.host() else { return };
        if let Some(drained) = self.drained().get_mut(host) {
            drained.progress = progress;
        }
    }

    /// Returns `true` if the balancer has confirmed the drain of a host.
    pub(super) fn is_out(&self, host: &Connection) -> bool {
        self.of(host).is_some_and(|drained| drained.progress == DrainProgress::Drained)
    }

    /// Removes the record of a host that is back in its balancer.
    pub(super) fn remove(&self, host: &Connection) {
        if let Some(host) = host.host() {
            self.drained().remove(host);
        }
    }

    /// Returns the addition to the state of a host: `, drained`.
    pub(super) fn describe(&self, host: &Connection) -> &'static str {
        match self.of(host) {
            None => "",
            Some(DrainedHost { progress: DrainProgress::Drained, .. }) => ", drained from the balancer",
            Some(_) => ", may be drained from the balancer",
        }
    }
}
