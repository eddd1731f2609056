//! The states of all hosts in a rollout, and the hosts with a lost lock.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fabrs::{Connection, Error, ErrorKind, Host};

use crate::deploy::host_state::{HostEvent, HostState};

/// The states of all hosts in a rollout.
#[derive(Debug)]
pub(super) struct HostStates(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    states: HashMap<Host, HostState>,
    /// The hosts with a lock lost by this run.
    unlocked: HashSet<Host>,
    /// The time of the first switch.
    first_switch: Option<SystemTime>,
}

impl HostStates {
    /// Returns the states before the rollout: all hosts are unchanged and locked.
    pub(super) fn new(hosts: &[Connection]) -> Self {
        let hosts = hosts.iter().filter_map(Connection::host);
        let states = hosts.map(|host| (host.clone(), HostState::Unchanged)).collect();
        Self(Mutex::new(Inner { states, unlocked: HashSet::new(), first_switch: None }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state of a host.
    pub(super) fn of(&self, host: &Connection) -> HostState {
        let state = host.host().and_then(|host| self.inner().states.get(host).copied());
        state.unwrap_or(HostState::Unchanged)
    }

    /// Applies an event to the state of a host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the event is impossible in the state of the host. The state then
    /// stays the same.
    pub(super) fn apply(&self, host: &Connection, event: HostEvent) -> Result<(), Error> {
        let state = self.of(host);
        let Some(host) = host.host() else { return Ok(()) };
        let Some(next) = state.after(event) else {
            let text = format!("internal error: unexpected event {event:?} in state {state:?}");
            return Err(Error::new(ErrorKind::Internal, text).on(host));
        };
        let mut inner = self.inner();
        if event == HostEvent::SwitchSent {
            inner.first_switch.get_or_insert_with(SystemTime::now);
        }
        inner.states.insert(host.clone(), next);
        Ok(())
    }

    /// Returns `true` if a condition is true for the states of all hosts.
    pub(super) fn all(&self, is: impl Fn(HostState) -> bool) -> bool {
        self.inner().states.values().all(|state| is(*state))
    }

    /// Returns the time of the first switch of a host.
    pub(super) fn first_switch(&self) -> Option<SystemTime> {
        self.inner().first_switch
    }

    /// Records a lost lock: the run sends no further change to the host.
    pub(super) fn mark_lock_lost(&self, host: &Host) {
        self.inner().unlocked.insert(host.clone());
    }

    /// Returns `true` if this run still holds the lock on a host.
    pub(super) fn is_locked(&self, host: &Connection) -> bool {
        host.host().is_none_or(|host| !self.inner().unlocked.contains(host))
    }
}

#[cfg(test)]
mod tests {
    use fabrs::Client;
    use fabrs::transport::Fake;

    use super::*;

    #[test]
    fn an_impossible_event_is_an_internal_error_and_keeps_the_state() {
        let host = Client::builder().dial(Fake::new()).build().connect("web1").unwrap();
        let states = HostStates::new(std::slice::from_ref(&host));
        states.apply(&host, HostEvent::SwitchSent).unwrap();
        let error = states.apply(&host, HostEvent::Promoted).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(states.of(&host), HostState::Switching);
    }

    #[test]
    fn a_lost_lock_keeps_the_state_of_the_host() {
        let host = Client::builder().dial(Fake::new()).build().connect("web1").unwrap();
        let states = HostStates::new(std::slice::from_ref(&host));
        states.apply(&host, HostEvent::SwitchSent).unwrap();
        states.mark_lock_lost(host.host().unwrap());
        assert!(!states.is_locked(&host) && states.of(&host).needs_revert());
    }
}
