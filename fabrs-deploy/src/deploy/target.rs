//! The target release of a rollout, with the surveys of all hosts before any change.

use fabrs::Connection;
use fabrs::event::escape_controls;

use crate::deploy::connected_site::Surveys;
use crate::release::{BlueGreenSide, HostRevert, Manifest, ReleaseId, Survey};
use crate::run_id::{Operator, RunId};
use crate::source::Revision;

/// The target release of a rollout.
#[derive(Debug)]
pub(super) struct TargetRelease {
    pub(super) release: ReleaseId,
    pub(super) revision: Revision,
    pub(super) origin: ReleaseOrigin,
    pub(super) by: Operator,
    pub(super) run: RunId,
    /// The reason for a deploy during a freeze window.
    pub(super) override_reason: Option<String>,
    /// The reason for a deploy without the earlier stages of the pipeline.
    pub(super) stage_override_reason: Option<String>,
    /// The surveys of all hosts, made under the lock and before any change.
    pub(super) before: Surveys,
}

/// The origin of a release: this run or an earlier run built the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReleaseOrigin {
    /// This run builds the release, and removes the release after a failure.
    ThisRun,
    /// An earlier run built and held the release. This run makes the release live for the first
    /// time, and keeps it after a stop.
    Held,
    /// An earlier run built the release. This run only makes the release live again.
    EarlierRun,
}

impl TargetRelease {
    /// Returns the entry in `revisions.log` for the switch to this release.
    pub(super) fn log_entry(&self) -> String {
        match self.origin {
            ReleaseOrigin::ThisRun | ReleaseOrigin::Held => {
                let note = |rule: &str, reason: &Option<String>| {
                    let reason = reason.as_deref().map(escape_controls);
                    reason.map(|reason| format!(" ({rule} overridden: {reason})")).unwrap_or_default()
                };
                let freeze = note("freeze", &self.override_reason);
                let stages = note("stages", &self.stage_override_reason);
                format!("{} deployed as release {} by {}{freeze}{stages}", self.revision, self.release, self.by)
            }
            ReleaseOrigin::EarlierRun => format!("{} rolled back to release {}", self.by, self.release),
        }
    }

    /// Returns the survey of a host before any change.
    pub(super) fn before(&self, host: &Connection) -> Option<&Survey> {
        self.before.get(host.host()?)
    }

    /// Returns the previously live release of a host.
    pub(super) fn live_before(&self, host: &Connection) -> Option<&ReleaseId> {
        self.before(host).and_then(Survey::live)
    }

    /// Returns the live side of a host of a blue-green site before the rollout, if any.
    pub(super) fn live_side(&self, host: &Connection) -> Option<BlueGreenSide> {
        // Without a live release, the side is left from an earlier site.
        self.live_before(host)?;
        self.before(host).and_then(|survey| survey.live_side)
    }

    /// Returns the side of a host for this release.
    pub(super) fn new_side(&self, host: &Connection) -> BlueGreenSide {
        self.live_side(host).map_or(BlueGreenSide::Blue, BlueGreenSide::other)
    }

    /// Returns `true` if a host keeps the watchdog of an earlier run: this release was live there,
    /// unconfirmed. Only this watchdog has the release before it.
    pub(super) fn keeps_watchdog(&self, host: &Connection) -> bool {
        let revert = self.before(host).and_then(|survey| survey.host_revert.as_ref());
        self.live_before(host) == Some(&self.release) && revert.is_some_and(HostRevert::is_unconfirmed)
    }

    /// Returns `true` if any host had a live release before.
    pub(super) fn had_live_release(&self) -> bool {
        self.before.values().any(|survey| survey.live().is_some())
    }

    /// Returns the manifest of the release on a host.
    pub(super) fn manifest(&self, host: &Connection) -> Manifest {
        let Self { release, revision, by, run, .. } = self;
        let manifest = Manifest::new(release.clone(), revision.clone(), by.clone(), run.clone());
        let override_reason = self.override_reason.clone();
        let stage_override_reason = self.stage_override_reason.clone();
        let previous = self.live_before(host).cloned();
        Manifest { previous, override_reason, stage_override_reason, ..manifest }
    }
}
