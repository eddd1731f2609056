//! The switch of a host to the target release, and the switch back to the previous release.

use fabrs::{Connection, Error, TaskError, cmd};

use crate::deploy::host_state::HostEvent;
use crate::deploy::rollout::Rollout;
use crate::deploy::{build, host_revert, work_tree};
use crate::hooks::DeployPhase;
use crate::release::{ReleaseId, SiteKind, Survey};

/// Runs the hooks of a host before its switch. The host is unchanged.
///
/// # Errors
///
/// The first error of a hook.
pub(super) async fn run_hooks_before(rollout: &Rollout<'_>, host: &Connection) -> Result<(), TaskError> {
    let app = rollout.hosts.app(host, &rollout.target.release)?;
    rollout.hosts.site.hooks.of(DeployPhase::Switch).before.run(&app).await
}

/// Switches a host to the target release, and runs the hooks after the switch. In place, the build
/// steps run in the work tree between the switch and the hooks.
///
/// # Errors
///
/// The errors of a command, of the build steps, and of the hooks.
pub(super) async fn to_target(rollout: &Rollout<'_>, host: &Connection) -> Result<(), TaskError> {
    let target = &rollout.target;
    rollout.logs.record_switch(rollout.hosts, host).await?;
    host_revert::arm(rollout, host).await?;
    rollout.states.apply(host, HostEvent::SwitchSent)?;
    match rollout.hosts.site.kind {
        SiteKind::Releases => {
            // From here on, processes in the directory of the release may be services, and
            // outlive the run.
            rollout.clear_work_dir(host);
            link_current(rollout, host, &target.release, &target.log_entry()).await?;
            rollout.states.apply(host, HostEvent::SwitchConfirmed)?;
        }
        SiteKind::InPlace => {
            work_tree::reset(rollout, host, &target.revision.commit, &target.log_entry()).await?;
            rollout.states.apply(host, HostEvent::SwitchConfirmed)?;
            build_in_place(rollout, host).await?;
        }
    }
    let app = rollout.hosts.app(host, &target.release)?;
    rollout.hosts.site.hooks.of(DeployPhase::Switch).after.run(&app).await
}

/// Switches a host back to the previous release, and returns the release that the services load.
/// Returns `None` without a previous release: `current` is then removed, and a work tree stays on
/// the new commit.
///
/// # Errors
///
/// The errors of a command, and of the build steps.
pub(super) async fn to_live_before(rollout: &Rollout<'_>, host: &Connection) -> Result<Option<ReleaseId>, TaskError> {
    let target = &rollout.target;
    let (name, by) = (rollout.target_name(), &target.by);
    match rollout.hosts.site.kind {
        SiteKind::Releases => {
            rollout.states.apply(host, HostEvent::RevertSent)?;
            let Some(before) = target.live_before(host) else {
                let current = rollout.hosts.layouts.of(host)?.current();
                let remove = host.run(rollout.under_lock(host, cmd!("rm -f {current}"))?);
                remove.named("remove current").await?;
                rollout.states.apply(host, HostEvent::CurrentRemoved)?;
                return Ok(None);
            };
            let entry = format!("{name} reverted to release {before} by {by}");
            host_revert::begin_revert(rollout, host).await?;
            link_current(rollout, host, before, &entry).await?;
            rollout.states.apply(host, HostEvent::SwitchConfirmed)?;
            Ok(Some(before.clone()))
        }
        SiteKind::InPlace => {
            let Some(before) = target.before(host).and_then(Survey::live_manifest) else { return Ok(None) };
            rollout.states.apply(host, HostEvent::RevertSent)?;
            let entry = format!("{name} reverted to {} by {by}", before.revision);
            work_tree::reset(rollout, host, &before.revision.commit, &entry).await?;
            rollout.states.apply(host, HostEvent::SwitchConfirmed)?;
            build_in_place(rollout, host).await?;
            Ok(Some(target.release.clone()))
        }
    }
}

/// Links `current` to a release in one step (`mv -T`), and appends an entry to `revisions.log`. An
/// unwritable log does not fail the switch.
pub(super) async fn link_current(
    rollout: &Rollout<'_>,
    host: &Connection,
    release: &ReleaseId,
    entry: &str,
) -> Result<(), Error> {
    let layout = rollout.hosts.layouts.of(host)?;
    let (root, log) = (layout.root(), layout.revision_log());
    let switch = cmd!(
        "cd {root} && ln -sfn releases/{release} .current-{release} && mv -T .current-{release} current || exit; \
         printf '%s\\n' {entry} >> {log} || :"
    );
    let switch = host.run(rollout.under_lock(host, switch)?);
    switch.named(format!("switch current to {release} (mv -T)")).await?;
    Ok(())
}

async fn build_in_place(rollout: &Rollout<'_>, host: &Connection) -> Result<(), TaskError> {
    let app = rollout.hosts.app(host, &rollout.target.release)?;
    build::run_steps(&rollout.hosts.site, &app).await
}
