//! The restart of the services of one host.

use fabrs::{Connection, TaskError};

use crate::deploy::rollout::Rollout;
use crate::hooks::DeployPhase;
use crate::release::ReleaseId;
use crate::site::Site;
use crate::step::App;

/// Runs the restart steps of a host and their hooks, so that its services load the live release.
///
/// # Errors
///
/// The first error of a step or a hook, with the last lines of the logs.
pub(super) async fn restart(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let app = rollout.hosts.app(host, release)?;
    match run_steps(&rollout.hosts.site, &app).await {
        Ok(()) => Ok(()),
        Err(error) => Err(rollout.logs.with_lines(rollout.hosts, host, error).await),
    }
}

async fn run_steps(site: &Site, app: &App) -> Result<(), TaskError> {
    let hooks = site.hooks.of(DeployPhase::Restart);
    hooks.before.run(app).await?;
    site.restart.run(app).await?;
    hooks.after.run(app).await
}
