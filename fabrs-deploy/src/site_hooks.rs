//! The methods of a site that add hooks: steps before and after a phase of a deploy.

use crate::hooks::DeployPhase;
use crate::site::Site;
use crate::step::DeployStep;

/// # Hooks
///
/// A hook is a step before or after a phase. Hooks run in order of addition, in the directory of
/// the release. Within [`on`](Self::on), a hook runs on the hosts of the subset only.
///
/// A failed hook counts as a failure of its phase ([`DeployPhase`]):
///
/// | phase of the failed hook | effect |
/// |---|---|
/// | `Build`, `Once` | the release is removed, and no host is switched |
/// | `Switch`, `Restart`, `Health` | all switched hosts are reverted |
/// | `Finish` | the deploy fails, and the release stays live |
///
/// A revert runs the hooks of its restarts and health checks, but no hook of a switch.
///
/// In place, build and once-only hooks follow the first switch, so a failure reverts the switched
/// hosts. A revert then also runs the hooks of the build.
impl Site {
    /// Adds a hook before a phase. The phase does not begin on a host if a hook fails there.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{DeployPhase, Site};
    ///
    /// let site = Site::new("/srv/shop")
    ///     .before(DeployPhase::Switch, |_| run("bin/warm-cache"))
    ///     .before(DeployPhase::Restart, |_| sudo("drain-node"));
    /// assert!(format!("{site:?}").contains("switch: PhaseHooks { before: 1 steps"));
    /// ```
    ///
    /// # Errors
    ///
    /// The deploy fails with the error of the hook, and reverts as after a failure of the phase.
    pub fn before(mut self, phase: DeployPhase, hook: impl DeployStep) -> Self {
        self.hooks.of_mut(phase).before.push(self.scope.clone(), hook);
        self
    }

    /// Adds a hook after a phase. The next phase does not begin on a host if a hook fails there.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{DeployPhase, Site};
    ///
    /// let site = Site::new("/srv/shop")
    ///     .after(DeployPhase::Build, |_| run("bin/check-assets"))
    ///     .after(DeployPhase::Health, |_| sudo("undrain-node"));
    /// assert!(format!("{site:?}").contains("health: PhaseHooks { before: 0 steps, after: 1 steps }"));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`before`](Self::before).
    pub fn after(mut self, phase: DeployPhase, hook: impl DeployStep) -> Self {
        self.hooks.of_mut(phase).after.push(self.scope.clone(), hook);
        self
    }
}
