//! A rollout: one deploy or rollback under the lock of the site, with its target release and the
//! states of its hosts.

use std::sync::atomic::{AtomicBool, Ordering};

use fabrs::config::Mode;
use fabrs::{Connection, Error, Group, LockHandle, ShellLine};

use crate::deploy::blue_green_state::BlueGreenState;
use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::drains::Drains;
use crate::deploy::host_state::{HostEvent, HostState};
use crate::deploy::host_states::HostStates;
use crate::deploy::log_positions::LogPositions;
use crate::deploy::target::TargetRelease;
use crate::release::{SiteKind, Survey};

/// A deploy or a rollback under the lock of the site.
#[derive(Debug)]
pub(super) struct Rollout<'a> {
    pub(super) hosts: &'a ConnectedSite,
    pub(super) target: TargetRelease,
    pub(super) states: HostStates,
    pub(super) logs: LogPositions,
    pub(super) drains: Drains,
    pub(super) blue_green: BlueGreenState,
    lock: LockHandle,
    /// Read by a change of the balancer that a stop of the run does not end, for its duration.
    /// After a lost lock, the writer waits for the end of these changes.
    pub(super) balancer_changes: tokio::sync::RwLock<()>,
    /// `true` as soon as a host may have received the confirmation of the release.
    is_confirming: AtomicBool,
    /// The same hosts, over connections unaffected by a stop of the run.
    recovery: Group,
}

impl<'a> Rollout<'a> {
    /// Prepares a rollout. All hosts are unchanged.
    ///
    /// # Errors
    ///
    /// As [`Group::uncancellable`] and [`Drains::new`].
    pub(super) fn new(hosts: &'a ConnectedSite, lock: LockHandle, target: TargetRelease) -> Result<Self, Error> {
        // A failed revert on one host must not keep the other hosts on the new release.
        let recovery = hosts.group.uncancellable()?.keep_going();
        let states = HostStates::new(hosts.group.connections());
        let (drains, blue_green) = (Drains::new(hosts)?, BlueGreenState::new(hosts)?);
        Ok(Self {
            hosts,
            target,
            states,
            logs: LogPositions::default(),
            drains,
            blue_green,
            lock,
            balancer_changes: tokio::sync::RwLock::default(),
            is_confirming: AtomicBool::new(false),
            recovery,
        })
    }

    /// Sets the phase shown by the lock to other runs and by `status`.
    pub(super) fn set_phase(&self, phase: &str) {
        self.lock.set_phase(phase);
    }

    /// Sets a directory on a host. If this run dies, the lock kills the processes in this
    /// directory.
    pub(super) fn set_work_dir(&self, host: &Connection, dir: &str) {
        if let Some(host) = host.host() {
            self.lock.set_work_dir(host, dir);
        }
    }

    /// Clears the work directory of a host: its processes survive the run from now on.
    pub(super) fn clear_work_dir(&self, host: &Connection) {
        self.set_work_dir(host, "");
    }

    /// Adds a check to a shell line: the host refuses the line if another run has locked the site.
    ///
    /// # Errors
    ///
    /// As [`LockHandle::atomic`].
    pub(super) fn under_lock(&self, host: &Connection, line: ShellLine) -> Result<ShellLine, Error> {
        match host.host() {
            Some(host) => self.lock.atomic(host, &line),
            None => Ok(line),
        }
    }

    /// Returns `true` if a host leaves a balancer before its switch.
    pub(super) fn has_drain(&self) -> bool {
        self.drains.connections().is_some() || self.hosts.site.drain.iter().next().is_some()
    }

    /// Returns `true` if the site has a restart step for a host. A scope that cannot be resolved
    /// counts as one.
    fn has_restart(&self, host: &Connection) -> bool {
        self.hosts.site.restart.iter().any(|(scope, _)| scope.has(host).unwrap_or(true))
    }

    /// Returns the selected hosts still locked by this run, over connections unaffected by a stop
    /// of the run.
    pub(super) fn recovery_hosts(&self, is_selected: impl Fn(&Connection) -> bool) -> Group {
        self.recovery.filter(|host| self.states.is_locked(host) && is_selected(host))
    }

    /// Makes the rollout final: a later failure does not revert it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](fabrs::ErrorKind::Internal) if a host has not passed its health
    /// check.
    pub(super) fn promote(&self) -> Result<(), Error> {
        self.hosts.group.connections().iter().try_for_each(|host| self.states.apply(host, HostEvent::Promoted))
    }

    /// Records that the hosts may receive the confirmation of the release from now on.
    pub(super) fn begin_confirmation(&self) {
        self.is_confirming.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the rollout is final.
    pub(super) fn is_promoted(&self) -> bool {
        self.states.all(|state| state == HostState::Promoted)
    }

    /// Returns the name of the new release for people. A work tree has no releases, so the revision
    /// is the name.
    pub(super) fn target_name(&self) -> String {
        match self.hosts.site.kind {
            SiteKind::Releases => self.target.release.to_string(),
            SiteKind::InPlace => self.target.revision.to_string(),
        }
    }

    /// Returns the name of the previously live release of a host, for people.
    pub(super) fn live_before_name(&self, host: &Connection) -> Option<String> {
        match self.hosts.site.kind {
            SiteKind::Releases => self.target.live_before(host).map(ToString::to_string),
            SiteKind::InPlace => {
                let manifest = self.target.before(host).and_then(Survey::live_manifest);
                manifest.map(|manifest| manifest.revision.to_string())
            }
        }
    }

    /// Returns the state of a host as text for people.
    pub(super) fn describe(&self, host: &Connection) -> String {
        let state = self.states.of(host);
        let text = state.describe(&self.target_name(), self.live_before_name(host).as_deref());
        let has_started = state == HostState::Emptied && self.has_restart(host);
        let services = if has_started { "; started services still run" } else { "" };
        let text = text + services + self.drains.describe(host);
        if self.hosts.site.revert_limit.is_some() && self.target.keeps_watchdog(host) {
            return format!("{text}, unconfirmed, reverts by itself");
        }
        // The host still has its watchdog: the revert by the run has not reached the host.
        let is_armed = match state {
            HostState::Switching | HostState::Switched | HostState::Held | HostState::Reverting => true,
            HostState::SwitchedBack => !self.states.is_locked(host),
            HostState::Unchanged | HostState::Promoted | HostState::Reverted | HostState::Emptied => false,
        };
        match self.hosts.site.revert_limit {
            Some(limit) if is_armed => {
                let unless = if self.is_confirming.load(Ordering::Relaxed) { "unless confirmed, " } else { "" };
                format!("{text}, {unless}reverts by itself {limit} after the loss of the run")
            }
            _ => text,
        }
    }

    /// Returns the states of all hosts as text, one line per host.
    pub(super) fn state_table(&self) -> String {
        let hosts = self.hosts.group.connections();
        let label = |host: &Connection| host.host().map_or_else(String::new, |host| host.label().to_string());
        let width = hosts.iter().map(|host| label(host).len()).max().unwrap_or(0);
        let lines = hosts.iter().map(|host| format!("{:width$}  {}\n", label(host), self.describe(host)));
        lines.collect::<Vec<_>>().concat()
    }

    /// Prints the live release. A dry run prints nothing, since nothing was changed.
    pub(super) fn note_live(&self) {
        let client = self.hosts.client();
        if client.settings().mode == Mode::Run {
            let name = match self.hosts.site.kind {
                SiteKind::Releases => format!(" as {}", self.target.release),
                SiteKind::InPlace => String::new(),
            };
            client.note(None, format!("live: {}{name} on {}", self.target.revision, self.hosts.label()));
        }
    }
}
