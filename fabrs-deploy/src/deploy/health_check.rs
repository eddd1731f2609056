//! The health check of one host after the restart of its services.

use fabrs::config::Mode;
use fabrs::{Connection, ErrorKind, TaskError, cmd};

use crate::deploy::host_state::HostEvent;
use crate::deploy::rollout::Rollout;
use crate::hooks::DeployPhase;
use crate::release::{ReleaseId, SiteKind, VERIFIED_FILE};
use crate::site::Site;
use crate::step::App;

/// Runs the health checks of a host and their hooks, marks the release as working there, and
/// records the result in the state of the host.
///
/// # Errors
///
/// The first error of a health check or a hook, with the last lines of the logs.
pub(super) async fn check(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    run_checks(rollout, host, release).await?;
    rollout.states.apply(host, HostEvent::CheckPassed)?;
    Ok(())
}

/// Runs the health checks of a host and their hooks, and marks the release as working there.
///
/// # Errors
///
/// As [`check`].
pub(super) async fn run_checks(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let app = rollout.hosts.app(host, release)?;
    let client = rollout.hosts.client();
    if let Err(error) = run_steps(&rollout.hosts.site, &app).await
        // In a dry run, a probe of a health check reads a host without the new release.
        && (client.settings().mode != Mode::DryRun || error.kind() != ErrorKind::Exit)
    {
        return Err(rollout.logs.with_lines(rollout.hosts, host, error).await);
    }
    if rollout.hosts.site.kind == SiteKind::Releases {
        let dir = app.release_dir();
        host.run(cmd!("touch {dir}/{VERIFIED_FILE}")).named(format!("mark {release} as working")).await?;
    }
    Ok(())
}

async fn run_steps(site: &Site, app: &App) -> Result<(), TaskError> {
    let hooks = site.hooks.of(DeployPhase::Health);
    hooks.before.run(app).await?;
    site.health.run(app).await?;
    hooks.after.run(app).await
}
