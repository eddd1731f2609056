//! The rollout of a blue-green site: the idle side of each host receives the release, and then the
//! balancer is switched.

use fabrs::{Connection, Error, ErrorKind, ShellLine, TaskError, cmd};

use crate::balancer::ConnectedBalancer;
use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::host_state::HostEvent;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::deploy::{blue_green_switch, health_check, restart, switch, watch};
use crate::hooks::DeployPhase;
use crate::outcomes::all_ok;
use crate::release::{BlueGreenSide, SIDE_FILE, Survey};
use crate::strategy::BlueGreen;

/// Checks access to the balancer, its servers, and sudo for the services.
///
/// # Errors
///
/// As [`ConnectedBalancer::preflight`]. [`ErrorKind::Task`] if a server is missing in the balancer.
pub(super) async fn preflight(hosts: &ConnectedSite) -> Result<(), TaskError> {
    let Some(strategy) = hosts.site.strategy.blue_green() else { return Ok(()) };
    let balancer = ConnectedBalancer::new(strategy.balancer()?, hosts.client())?;
    balancer.preflight().await?;
    let mut servers = Vec::new();
    for host in hosts.group.connections() {
        for side in BlueGreenSide::ALL {
            servers.push(strategy.server_name(&balancer, host, side)?);
        }
    }
    for on_host in balancer.servers().await? {
        on_host.find_all(&balancer, &servers)?;
    }
    let units: Vec<String> = BlueGreenSide::ALL
        .iter()
        .flat_map(|side| [strategy.services(*side), strategy.workers(*side)].concat())
        .collect();
    if units.is_empty() {
        return Ok(());
    }
    let checked = hosts.group.each(|host| {
        let units = &units;
        // An inactive unit is normal. Only an error of sudo fails the check.
        async move { host.sudo(cmd!("systemctl is-active {units...}")).warn().hide(fabrs::Hide::Both).await.map(drop) }
    });
    all_ok(checked.await)?;
    Ok(())
}

/// Sets the new side of each host, for the steps of the rollout.
pub(super) fn choose_sides(rollout: &Rollout<'_>) {
    let Some(strategy) = rollout.hosts.site.strategy.blue_green() else { return };
    let side = |host: &Connection| {
        let side = rollout.target.new_side(host);
        Some((host.host()?.clone(), (side, strategy.port(side))))
    };
    rollout.hosts.set_sides(rollout.hosts.group.connections().iter().filter_map(side).collect());
}

/// Prepares the idle side of all hosts, measures the gates, and switches the balancer.
///
/// # Errors
///
/// The first error of a step. The caller reverts the rollout.
pub(super) async fn roll_out(rollout: &Rollout<'_>, strategy: &BlueGreen) -> Result<(), TaskError> {
    let hosts = rollout.hosts;
    rollout.set_phase("idle side");
    let phase = hosts.phase("idle side", hosts.group.connections());
    blue_green_switch::settle(rollout, strategy).await?;
    let prepared = hosts.group.each(|host| {
        let phase = &phase;
        async move { phase.time(&host, prepare(rollout, strategy, &host)).await }
    });
    all_ok(prepared.await)?;
    phase.done("");
    watch::watch(rollout, &hosts.group, &hosts.site.watch).await?;
    let phase = hosts.phase("switch", hosts.group.connections());
    let hooks = hosts.group.each(|host| async move { switch::run_hooks_before(rollout, &host).await });
    all_ok(hooks.await)?;
    blue_green_switch::switch(rollout, strategy).await?;
    let switched = hosts.group.each(|host| async move { switch_host(rollout, strategy, &host).await });
    all_ok(switched.await)?;
    phase.done("");
    Ok(())
}

/// Starts and checks the target release on the idle side of a host. The live side is unchanged.
async fn prepare(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<(), TaskError> {
    let (target, side) = (&rollout.target, rollout.target.new_side(host));
    rollout.logs.record_switch(rollout.hosts, host).await?;
    if target.origin == ReleaseOrigin::EarlierRun && is_ready(rollout, strategy, host).await? {
        rollout.hosts.client().note(host.host(), format!("{side} still runs {}", target.release));
        return Ok(());
    }
    rollout.blue_green.mark_changed(host);
    // From here on, processes in the directory of the release are services, and outlive the run.
    rollout.clear_work_dir(host);
    let (root, release) = (rollout.hosts.layouts.of(host)?.root(), &target.release);
    let link = link_line(root, side, release.as_str());
    host.run(rollout.under_lock(host, link)?).named(format!("link {side} to {release}")).await?;
    systemctl(host, "restart", &strategy.services(side)).await?;
    restart::restart(rollout, host, release).await?;
    health_check::run_checks(rollout, host, release).await
}

/// Returns the line that links a side to a release.
fn link_line(root: &str, side: BlueGreenSide, release: &str) -> ShellLine {
    let side = side.as_str();
    cmd!("cd {root} && ln -sfn releases/{release} .{side}-{release} && mv -T .{side}-{release} {side}")
}

/// Returns `true` if the idle side runs the target release and is healthy.
async fn is_ready(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<bool, TaskError> {
    let (side, release) = (rollout.target.new_side(host), &rollout.target.release);
    if rollout.target.before(host).and_then(|survey| survey.sides.get(&side)) != Some(release) {
        return Ok(false);
    }
    let units = strategy.services(side);
    if !units.is_empty() && !host.probe(cmd!("systemctl is-active --quiet {units...}")).ok().await? {
        return Ok(false);
    }
    match health_check::run_checks(rollout, host, release).await.map_err(TaskError::into_error) {
        Ok(()) => Ok(true),
        // After a lost host and a stop of the run, the health of the side is unknown.
        Err(error) if matches!(error.kind(), ErrorKind::Task | ErrorKind::Exit) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn systemctl(host: &Connection, verb: &str, units: &[String]) -> Result<(), Error> {
    if !units.is_empty() {
        host.sudo(cmd!("systemctl {verb} {units...}")).await?;
    }
    Ok(())
}

/// Switches `current`, the live side and the workers of a host, after the balancer.
async fn switch_host(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<(), TaskError> {
    let (target, side) = (&rollout.target, rollout.target.new_side(host));
    switch::link_current(rollout, host, &target.release, &target.log_entry()).await?;
    write_side(rollout, host, Some(side)).await?;
    rollout.states.apply(host, HostEvent::SwitchConfirmed)?;
    systemctl(host, "stop", &strategy.workers(side.other())).await?;
    systemctl(host, "restart", &strategy.workers(side)).await?;
    let app = rollout.hosts.app(host, &target.release)?;
    rollout.hosts.site.hooks.of(DeployPhase::Switch).after.run(&app).await?;
    rollout.states.apply(host, HostEvent::CheckPassed)?;
    Ok(())
}

/// Writes the file with the live side of a host, or removes the file if no side is live.
async fn write_side(rollout: &Rollout<'_>, host: &Connection, side: Option<BlueGreenSide>) -> Result<(), Error> {
    let root = rollout.hosts.layouts.of(host)?.root();
    let line = match side {
        Some(side) => {
            let side = side.as_str();
            cmd!("cd {root} && echo {side} > .{SIDE_FILE} && mv -T .{SIDE_FILE} {SIDE_FILE}")
        }
        None => cmd!("rm -f {root}/{SIDE_FILE}"),
    };
    host.run(rollout.under_lock(host, line)?).named("record the live side").await?;
    Ok(())
}

/// Stops the idle sides changed by this run. Failures are warnings: each host is reverted in any
/// case.
pub(super) async fn stop_changed_sides(rollout: &Rollout<'_>) {
    let Some(strategy) = rollout.hosts.site.strategy.blue_green() else { return };
    let changed = rollout.recovery_hosts(|host| rollout.blue_green.is_changed(host));
    let stopped = changed.each(|host| async move { stop(rollout, strategy, &host).await });
    for (host, outcome) in stopped.await.failed() {
        let why = outcome.error().map_or_else(String::new, |error| error.message().to_owned());
        rollout.hosts.client().warn(Some(host), format!("the idle side could not be stopped: {why}"));
    }
}

/// Stops the changed side of a host, and links the side to its previous release.
async fn stop(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<(), Error> {
    let side = rollout.target.new_side(host);
    systemctl(host, "stop", &[strategy.workers(side), strategy.services(side)].concat()).await?;
    let root = rollout.hosts.layouts.of(host)?.root();
    let previous = rollout.target.before(host).and_then(|survey: &Survey| survey.sides.get(&side));
    let line = match previous {
        Some(release) if !strategy.services(side).is_empty() => link_line(root, side, release.as_str()),
        // A service started by a step cannot be stopped, and may still run the failed release.
        // Without its link, a rollback restarts the side.
        _ => {
            let side = side.as_str();
            cmd!("rm -f {root}/{side}")
        }
    };
    host.run(rollout.under_lock(host, line)?).named(format!("restore the link of {side}")).await?;
    rollout.blue_green.mark_stopped(host);
    Ok(())
}

/// Reverts `current`, the live side and the workers of a host. The old side has never stopped.
///
/// # Errors
///
/// [`ErrorKind::Task`] if the balancer was not switched back, and the errors of a command.
pub(super) async fn revert_host(
    rollout: &Rollout<'_>,
    strategy: &BlueGreen,
    host: &Connection,
) -> Result<(), TaskError> {
    if !rollout.blue_green.is_switched_back() {
        let text = "the balancer was not switched back: `current` and the workers stay as they are";
        return Err(Error::new(ErrorKind::Task, text).into());
    }
    let side = rollout.target.new_side(host);
    systemctl(host, "stop", &strategy.workers(side)).await?;
    let live = switch::to_live_before(rollout, host).await?;
    write_side(rollout, host, rollout.target.live_side(host)).await?;
    if live.is_some() {
        systemctl(host, "start", &strategy.workers(side.other())).await?;
        rollout.states.apply(host, HostEvent::CheckPassed)?;
    }
    Ok(())
}
