//! The changes made by a blue-green rollout. A revert undoes these changes.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fabrs::{Connection, Error, Host};

use crate::balancer::{BalancerConnections, StateChange};
use crate::deploy::connected_site::ConnectedSite;

/// The balancer of a blue-green site, and the changes made by one rollout.
#[derive(Debug)]
pub(super) struct BlueGreenState {
    connections: Option<BalancerConnections>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The hosts with an idle side changed by this run.
    changed: HashSet<Host>,
    /// The changes of servers in the balancer.
    switched: Vec<StateChange>,
    /// `true` if all servers in the balancer have their old states.
    is_switched_back: bool,
}

impl BlueGreenState {
    /// Resolves the balancer of the site. A site without a blue-green strategy has no balancer
    /// here.
    ///
    /// # Errors
    ///
    /// As [`BalancerConnections::new`].
    pub(super) fn new(hosts: &ConnectedSite) -> Result<Self, Error> {
        let connections = match hosts.site.strategy.blue_green() {
            None => None,
            Some(strategy) => Some(BalancerConnections::new(strategy.balancer()?, hosts.client())?),
        };
        Ok(Self { connections, inner: Mutex::default() })
    }

    /// Returns the connections to the balancer, or `None` for a site without a blue-green strategy.
    pub(super) fn connections(&self) -> Option<&BalancerConnections> {
        self.connections.as_ref()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a change of the idle side of a host.
    pub(super) fn mark_changed(&self, host: &Connection) {
        if let Some(host) = host.host() {
            self.inner().changed.insert(host.clone());
        }
    }

    /// Records the stop of a changed side: the revert has no more work on this side.
    pub(super) fn mark_stopped(&self, host: &Connection) {
        if let Some(host) = host.host() {
            self.inner().changed.remove(host);
        }
    }

    /// Returns `true` if this run has changed the idle side of a host, and has not
    /// stopped the side.
    pub(super) fn is_changed(&self, host: &Connection) -> bool {
        host.host().is_some_and(|host| self.inner().changed.contains(host))
    }

    /// Records the changes of servers in the balancer. Called before the first change, so that a
    /// revert also covers a change with an unknown result.
    pub(super) fn set_switched(&self, changes: Vec<StateChange>) {
        let mut inner = self.inner();
        inner.switched = changes;
        inner.is_switched_back = false;
    }

    /// Records the return of all servers to their old states.
    pub(super) fn mark_switched_back(&self) {
        self.inner().is_switched_back = true;
    }

    /// Returns `true` if all servers in the balancer have their old states.
    pub(super) fn is_switched_back(&self) -> bool {
        self.inner().is_switched_back
    }

    /// Returns the changes of servers in the balancer.
    pub(super) fn switched(&self) -> Vec<StateChange> {
        self.inner().switched.clone()
    }
}
