//! The number of phases of an operation, known before the first phase.

use fabrs::{Connection, Error};

use crate::deploy::batches;
use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::phases::RunningPhase;
use crate::deploy::target::ReleaseOrigin;
use crate::notify::DeployAction;

/// Returns the number of phases of an operation.
///
/// | operation | phases |
/// |---|---|
/// | deploy | lock, build, once, the phases of each batch, finish, notify |
/// | hold | lock, build, hold, notify |
/// | promotion | lock, once, the phases of each batch, finish, notify |
/// | rollback | lock, the phases of each batch, finish, notify |
///
/// A phase without work is left out: once-only steps and notifiers of a site without them.
///
/// # Errors
///
/// The errors of the batch sizes, and as [`ConnectedSite::first_of`].
pub(super) fn count(hosts: &ConnectedSite, action: DeployAction) -> Result<usize, Error> {
    const LOCK: usize = 1;
    const BUILD: usize = 1;
    const FINISH: usize = 1;
    let once = usize::from(hosts.has_once_phase());
    let notify = usize::from(!hosts.site.notifiers.is_empty());
    let phases = match action {
        DeployAction::Hold => BUILD + 1,
        DeployAction::Rollback => batches::count_phases(hosts, ReleaseOrigin::EarlierRun)? + FINISH,
        DeployAction::Promote => once + batches::count_phases(hosts, ReleaseOrigin::Held)? + FINISH,
        DeployAction::Deploy => BUILD + once + batches::count_phases(hosts, ReleaseOrigin::ThisRun)? + FINISH,
    };
    Ok(LOCK + phases + notify)
}

impl ConnectedSite {
    /// Starts the next planned phase on some hosts.
    pub(super) fn phase(&self, name: impl Into<String>, hosts: &[Connection]) -> RunningPhase {
        RunningPhase::start(self.client(), &self.phases, name.into(), hosts)
    }

    /// Starts a phase outside the plan: a revert.
    pub(super) fn unplanned_phase(&self, name: impl Into<String>, hosts: &[Connection]) -> RunningPhase {
        RunningPhase::start_unplanned(self.client(), &self.phases, name.into(), hosts)
    }

    /// Returns `true` if the operation has a phase for once-only steps and migrations.
    pub(super) fn has_once_phase(&self) -> bool {
        self.site.database.is_some() || self.site.once_steps().iter().any(|steps| steps.iter().next().is_some())
    }
}
