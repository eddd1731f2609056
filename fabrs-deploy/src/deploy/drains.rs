//! The drained hosts of a rollout, with the states of their servers before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fabrs::{Connection, Error, Host};

use crate::balancer::{Pool, PoolServer, ServerState, SharedBalancer, StateChange};
use crate::deploy::connected_site::ConnectedSite;

/// The drained hosts of a rollout.
#[derive(Debug)]
pub(super) struct Drains {
    pools: Option<Pools>,
    /// Held from the check of the active servers to the change of the balancer.
    pub(super) turn: tokio::sync::Mutex<()>,
    drained: Mutex<HashMap<Host, DrainedHost>>,
}

/// The balancer of a site, over two kinds of connections.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) run: Pool,
    /// The same balancer, over connections unaffected by a stop of the run.
    pub(super) recovery: Pool,
}

/// A host outside its balancer.
#[derive(Debug, Clone, Default)]
pub(super) struct DrainedHost {
    /// The changed servers. Empty for a site with steps instead of a balancer.
    pub(super) servers: Vec<DrainedServer>,
    /// `true` after the balancer has confirmed the change.
    pub(super) is_confirmed: bool,
}

/// A changed server on one host of a balancer.
#[derive(Debug, Clone)]
pub(super) struct DrainedServer {
    pub(super) server: PoolServer,
    /// `true` if the balancer sent requests to the server before.
    pub(super) was_active: bool,
}

impl Pools {
    /// Resolves a balancer.
    ///
    /// # Errors
    ///
    /// As [`Pool::new`] and [`Pool::uncancellable`].
    pub(super) fn new(balancer: &SharedBalancer, hosts: &ConnectedSite) -> Result<Self, Error> {
        let run = Pool::new(balancer, hosts.client())?;
        Ok(Self { recovery: run.uncancellable()?, run })
    }
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
    /// As [`Pools::new`].
    pub(super) fn new(hosts: &ConnectedSite) -> Result<Self, Error> {
        let pools = match &hosts.site.balancer {
            None => None,
            Some(balancer) => Some(Pools::new(balancer, hosts)?),
        };
        Ok(Self { pools, turn: tokio::sync::Mutex::default(), drained: Mutex::default() })
    }

    /// Returns the balancer of the site.
    pub(super) fn pools(&self) -> Option<&Pools> {
        self.pools.as_ref()
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
        if let Some(host) = host.host() {
            self.drained().insert(host.clone(), drained);
        }
    }

    /// Records that the balancer has confirmed the change of a host.
    pub(super) fn confirm(&self, host: &Connection) {
        let Some(host) = host.host() else { return };
        if let Some(drained) = self.drained().get_mut(host) {
            drained.is_confirmed = true;
        }
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
            Some(DrainedHost { is_confirmed: true, .. }) => ", drained from the balancer",
            Some(_) => ", may be drained from the balancer",
        }
    }
}
