//! The changes of a blue-green rollout, for its revert.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fabrs::{Connection, Error, Host};

use crate::balancer::{BalancerConnections, StateChange};
use crate::deploy::connected_site::ConnectedSite;

/// The state of a blue-green rollout.
#[derive(Debug)]
pub(super) struct BlueGreenState {
    balancer_connections: Option<BalancerConnections>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The hosts with a changed idle side.
    changed: HashSet<Host>,
    /// The changes of the balancer.
    switched: Vec<StateChange>,
    /// `true` after the balancer has its states from before the rollout again.
    is_switched_back: bool,
}

impl BlueGreenState {
    /// Resolves the balancer of a blue-green site. Other sites have no state.
    ///
    /// # Errors
    ///
    /// As [`BalancerConnections::new`].
    pub(super) fn new(hosts: &ConnectedSite) -> Result<Self, Error> {
        let balancer_connections = match hosts.site.strategy.blue_green() {
            None => None,
            Some(strategy) => Some(BalancerConnections::new(strategy.balancer()?, hosts.client())?),
        };
        Ok(Self { balancer_connections, inner: Mutex::default() })
    }

    /// Returns the balancer of the site.
    pub(super) fn balancer_connections(&self) -> Option<&BalancerConnections> {
        self.balancer_connections.as_ref()
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

    /// Records that the changed side of a host is stopped.
    pub(super) fn mark_stopped(&self, host: &Connection) {
        if let Some(host) = host.host() {
            self.inner().changed.remove(host);
        }
    }

    /// Returns whether this run has changed the idle side of a host.
    pub(super) fn is_changed(&self, host: &Connection) -> bool {
        host.host().is_some_and(|host| self.inner().changed.contains(host))
    }

    /// Records the changes of the balancer, before the first change.
    pub(super) fn set_switched(&self, changes: Vec<StateChange>) {
        let mut inner = self.inner();
        inner.switched = changes;
        inner.is_switched_back = false;
    }

    /// Records that the balancer has its states from before the rollout again.
    pub(super) fn mark_switched_back(&self) {
        self.inner().is_switched_back = true;
    }

    /// Returns whether the balancer has its states from before the rollout again.
    pub(super) fn is_switched_back(&self) -> bool {
        self.inner().is_switched_back
    }

    /// Returns the changes of the balancer.
    pub(super) fn switched(&self) -> Vec<StateChange> {
        self.inner().switched.clone()
    }
}
