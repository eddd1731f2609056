//! The hooks of a site: steps before and after the phases of a deploy.

use crate::step::Steps;

/// A phase of a deploy, for [`Site::before`](crate::Site::before) and
/// [`Site::after`](crate::Site::after).
///
/// | phase | hosts | directory | also in |
/// |---|---|---|---|
/// | `Build` | each host | the unpacked release, with its links into `shared` | reverts in place |
/// | `Once` | the host of [`Site::once_on`](crate::Site::once_on) | the built release | - |
/// | `Switch` | each host of a batch | the new release | rollbacks |
/// | `Restart`, `Health` | each host of a batch | the live release | rollbacks and reverts |
/// | `Finish` | each host | the live release | - |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeployPhase {
    /// The steps of [`Site::build`](crate::Site::build). In place, the build follows the switch.
    Build,
    /// The steps of [`Site::once`](crate::Site::once): migrations. The hooks also run for a site
    /// without such steps.
    Once,
    /// The switch of `current`. Hooks before the switch run on all hosts of the batch before any
    /// of these hosts is switched. With [`Site::window`](crate::Site::window), each host is
    /// switched directly after its own hooks.
    Switch,
    /// The steps of [`Site::restart`](crate::Site::restart).
    Restart,
    /// The steps of [`Site::health`](crate::Site::health). A host counts as checked after its
    /// hooks.
    Health,
    /// The steps of [`Site::post_deploy`](crate::Site::post_deploy), the removal of old releases,
    /// and the tag of the deploy.
    Finish,
}

/// The hooks of all phases.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    build: PhaseHooks,
    once: PhaseHooks,
    switch: PhaseHooks,
    restart: PhaseHooks,
    health: PhaseHooks,
    finish: PhaseHooks,
}

/// The hooks of one phase, in order of addition.
#[derive(Debug, Clone, Default)]
pub(crate) struct PhaseHooks {
    pub(crate) before: Steps,
    pub(crate) after: Steps,
}

impl Hooks {
    /// Returns the hooks of a phase.
    pub(crate) fn of(&self, phase: DeployPhase) -> &PhaseHooks {
        match phase {
            DeployPhase::Build => &self.build,
            DeployPhase::Once => &self.once,
            DeployPhase::Switch => &self.switch,
            DeployPhase::Restart => &self.restart,
            DeployPhase::Health => &self.health,
            DeployPhase::Finish => &self.finish,
        }
    }

    pub(crate) fn of_mut(&mut self, phase: DeployPhase) -> &mut PhaseHooks {
        match phase {
            DeployPhase::Build => &mut self.build,
            DeployPhase::Once => &mut self.once,
            DeployPhase::Switch => &mut self.switch,
            DeployPhase::Restart => &mut self.restart,
            DeployPhase::Health => &mut self.health,
            DeployPhase::Finish => &mut self.finish,
        }
    }

    /// Returns the hooks of the phases that run on each host.
    pub(crate) fn on_each_host(&self) -> impl Iterator<Item = &Steps> {
        let phases = [&self.build, &self.switch, &self.restart, &self.health, &self.finish];
        phases.into_iter().flat_map(|hooks| [&hooks.before, &hooks.after])
    }
}
