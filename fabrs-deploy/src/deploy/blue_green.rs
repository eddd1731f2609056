//! The rollout of a blue-green site: the idle side of each host receives the release, and then the
//! balancer is switched.

use std::collections::HashMap;
use std::time::Duration;

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, ShellLine, TaskError, cmd};

use crate::balancer::{Pool, PoolServer, ServerState, StateChange};
use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::drains::Pools;
use crate::deploy::host_state::HostEvent;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::deploy::{health_check, restart, switch, watch};
use crate::hooks::DeployPhase;
use crate::outcomes::all_ok;
use crate::release::{COLOR_FILE, Color, Survey};
use crate::strategy::BlueGreen;

/// The wait for the health check of the balancer on the idle side.
const UP_LIMIT: Duration = Duration::from_mins(1);

/// Checks access to the balancer, its servers, and sudo for the services.
///
/// # Errors
///
/// As [`Pool::preflight`]. [`ErrorKind::Task`] if a server is missing in the balancer.
pub(super) async fn preflight(hosts: &ConnectedSite) -> Result<(), TaskError> {
    let Some(strategy) = hosts.site.strategy.blue_green() else { return Ok(()) };
    let pool = Pool::new(strategy.balancer()?, hosts.client())?;
    pool.preflight().await?;
    let mut servers = Vec::new();
    for host in hosts.group.connections() {
        for color in Color::ALL {
            servers.push(strategy.server_name(&pool, host, color)?);
        }
    }
    for on_host in pool.servers().await? {
        on_host.find_all(&pool, &servers)?;
    }
    let units: Vec<String> =
        Color::ALL.iter().flat_map(|color| [strategy.services(*color), strategy.workers(*color)].concat()).collect();
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

/// Returns the live side of a host before the rollout, if any.
fn live_color(rollout: &Rollout<'_>, host: &Connection) -> Option<Color> {
    // Without a live release, the color is left from an earlier site.
    rollout.target.live_before(host)?;
    rollout.target.before(host).and_then(|survey| survey.live_color)
}

/// Returns the side of a host for the target release.
fn new_color(rollout: &Rollout<'_>, host: &Connection) -> Color {
    live_color(rollout, host).map_or(Color::Blue, Color::other)
}

/// Prepares the idle side of all hosts, measures the gates, and switches the balancer.
///
/// # Errors
///
/// The first error of a step. The caller reverts the rollout.
pub(super) async fn roll_out(rollout: &Rollout<'_>, strategy: &BlueGreen) -> Result<(), TaskError> {
    let hosts = rollout.hosts;
    let side = |host: &Connection| {
        let color = new_color(rollout, host);
        Some((host.host()?.clone(), (color, strategy.port(color))))
    };
    hosts.set_sides(hosts.group.connections().iter().filter_map(side).collect::<HashMap<_, _>>());
    rollout.set_phase("idle side");
    let phase = hosts.phase("idle side", hosts.group.connections());
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
    switch(rollout, strategy).await?;
    phase.done("");
    Ok(())
}

/// Starts and checks the target release on the idle side of a host. The live side is unchanged.
async fn prepare(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<(), TaskError> {
    let (target, color) = (&rollout.target, new_color(rollout, host));
    rollout.logs.record_switch(rollout.hosts, host).await?;
    if target.origin == ReleaseOrigin::EarlierRun && is_ready(rollout, strategy, host).await? {
        rollout.hosts.client().note(host.host(), format!("{color} still runs {}", target.release));
        return Ok(());
    }
    rollout.blue_green.mark_changed(host);
    // From here on, processes in the directory of the release are services, which outlive the run.
    rollout.clear_work_dir(host);
    let (root, release) = (rollout.hosts.layouts.of(host)?.root(), &target.release);
    let link = link_line(root, color, release.as_str());
    host.run(rollout.under_lock(host, link)?).named(format!("link {color} to {release}")).await?;
    systemctl(host, "restart", &strategy.services(color)).await?;
    restart::restart(rollout, host, release).await?;
    health_check::run_checks(rollout, host, release).await
}

/// Returns the line that links a side to a release.
fn link_line(root: &str, color: Color, release: &str) -> ShellLine {
    let color = color.as_str();
    cmd!("cd {root} && ln -sfn releases/{release} .{color}-{release} && mv -T .{color}-{release} {color}")
}

/// Returns whether the idle side runs the target release and is healthy.
async fn is_ready(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<bool, TaskError> {
    let (color, release) = (new_color(rollout, host), &rollout.target.release);
    if rollout.target.before(host).and_then(|survey| survey.sides.get(&color)) != Some(release) {
        return Ok(false);
    }
    let units = strategy.services(color);
    if !units.is_empty() && !host.probe(cmd!("systemctl is-active --quiet {units...}")).ok().await? {
        return Ok(false);
    }
    match health_check::run_checks(rollout, host, release).await.map_err(TaskError::into_error) {
        Ok(()) => Ok(true),
        // A lost host and a stop of the run are no result.
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

/// Switches the balancer to the new side of all hosts in one step, then `current` and the workers.
async fn switch(rollout: &Rollout<'_>, strategy: &BlueGreen) -> Result<(), TaskError> {
    let hosts = &rollout.hosts.group;
    rollout.set_phase("switch");
    let Some(pools) = rollout.blue_green.pools() else { return Ok(()) };
    let changes = changes(rollout, strategy, &pools.run).await?;
    let ready = changes.iter().filter(|change| change.to == ServerState::Ready).map(|change| change.server.clone());
    wait_until_up(rollout, &pools.run, &ready.collect::<Vec<_>>()).await?;
    for host in hosts.connections() {
        rollout.states.apply(host, HostEvent::SwitchSent)?;
    }
    rollout.blue_green.set_switched(changes.clone());
    pools.run.apply(&changes, &pools.recovery).await?;
    let switched = hosts.each(|host| async move { switch_host(rollout, strategy, &host).await });
    all_ok(switched.await)?;
    Ok(())
}

/// Returns the changes that enable the new side and disable the old side of all hosts.
async fn changes(rollout: &Rollout<'_>, strategy: &BlueGreen, pool: &Pool) -> Result<Vec<StateChange>, TaskError> {
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for host in rollout.hosts.group.connections() {
        let color = new_color(rollout, host);
        new.push(strategy.server_name(pool, host, color)?);
        old.push(strategy.server_name(pool, host, color.other())?);
    }
    let mut changes = Vec::new();
    for on_host in pool.servers().await? {
        for (names, to) in [(&new, ServerState::Ready), (&old, pool.balancer().stopped_state())] {
            let servers = on_host.find_all(pool, names)?.into_iter();
            changes.extend(servers.map(|(server, _)| StateChange { server, to }));
        }
    }
    Ok(changes)
}

/// Waits for the health check of the balancer on the new side, while the side receives no requests.
async fn wait_until_up(rollout: &Rollout<'_>, pool: &Pool, servers: &[PoolServer]) -> Result<(), TaskError> {
    if rollout.hosts.client().settings().mode != Mode::Run {
        return Ok(());
    }
    let down = pool.wait_until(servers, UP_LIMIT, |server| server.is_up).await?;
    if down.is_empty() {
        return Ok(());
    }
    let text = format!("{}: the health check of the balancer fails for {}", pool.name(), down.join(", "));
    Err(Error::new(ErrorKind::Task, text).hint("compare this health check with the health check of the site").into())
}

/// Switches `current`, the color and the workers of a host, after the balancer.
async fn switch_host(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<(), TaskError> {
    let (target, color) = (&rollout.target, new_color(rollout, host));
    switch::link_current(rollout, host, &target.release, &target.log_entry()).await?;
    write_color(rollout, host, Some(color)).await?;
    rollout.states.apply(host, HostEvent::SwitchConfirmed)?;
    systemctl(host, "stop", &strategy.workers(color.other())).await?;
    systemctl(host, "restart", &strategy.workers(color)).await?;
    let app = rollout.hosts.app(host, &target.release)?;
    rollout.hosts.site.hooks.of(DeployPhase::Switch).after.run(&app).await?;
    rollout.states.apply(host, HostEvent::CheckPassed)?;
    Ok(())
}

/// Writes the live color of a host, or removes the color of a host without a live side.
async fn write_color(rollout: &Rollout<'_>, host: &Connection, color: Option<Color>) -> Result<(), Error> {
    let root = rollout.hosts.layouts.of(host)?.root();
    let line = match color {
        Some(color) => {
            let color = color.as_str();
            cmd!("cd {root} && echo {color} > .{COLOR_FILE} && mv -T .{COLOR_FILE} {COLOR_FILE}")
        }
        None => cmd!("rm -f {root}/{COLOR_FILE}"),
    };
    host.run(rollout.under_lock(host, line)?).named("record the live color").await?;
    Ok(())
}

/// Switches the balancer back after a failure, and stops the changed idle sides. Failures are
/// warnings: each host is reverted in any case.
pub(super) async fn switch_back(rollout: &Rollout<'_>) {
    let Some(strategy) = rollout.hosts.site.strategy.blue_green() else { return };
    let Some(Pools { recovery, .. }) = rollout.blue_green.pools() else { return };
    let switched = rollout.blue_green.switched();
    let back = switched.iter().map(|change| StateChange { to: change.server.before, ..change.clone() });
    let mut is_back = true;
    if let Err(error) = recovery.apply_where_possible(&back.collect::<Vec<_>>()).await {
        is_back = false;
        let text = format!("{} could not be switched back: {}", recovery.name(), error.message());
        rollout.hosts.client().warn(error.host(), text);
    }
    if !is_back {
        return;
    }
    let changed = rollout.recovery_hosts(|host| rollout.blue_green.is_changed(host));
    let stopped = changed.each(|host| async move { stop(rollout, strategy, &host).await });
    for (host, outcome) in stopped.await.failed() {
        let why = outcome.error().map_or_else(String::new, |error| error.message().to_owned());
        rollout.hosts.client().warn(Some(host), format!("the idle side could not be stopped: {why}"));
    }
}

/// Stops the changed side of a host, and links the side to its old release.
async fn stop(rollout: &Rollout<'_>, strategy: &BlueGreen, host: &Connection) -> Result<(), Error> {
    let color = new_color(rollout, host);
    systemctl(host, "stop", &[strategy.workers(color), strategy.services(color)].concat()).await?;
    let root = rollout.hosts.layouts.of(host)?.root();
    let line = match rollout.target.before(host).and_then(|survey: &Survey| survey.sides.get(&color)) {
        Some(release) => link_line(root, color, release.as_str()),
        None => {
            let color = color.as_str();
            cmd!("rm -f {root}/{color}")
        }
    };
    host.run(rollout.under_lock(host, line)?).named(format!("restore the link of {color}")).await?;
    rollout.blue_green.mark_stopped(host);
    Ok(())
}

/// Reverts `current`, the color and the workers of a host. The old side has never stopped.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn revert_host(
    rollout: &Rollout<'_>,
    strategy: &BlueGreen,
    host: &Connection,
) -> Result<(), TaskError> {
    let color = new_color(rollout, host);
    systemctl(host, "stop", &strategy.workers(color)).await?;
    let live = switch::to_live_before(rollout, host).await?;
    write_color(rollout, host, live_color(rollout, host)).await?;
    if live.is_some() {
        systemctl(host, "start", &strategy.workers(color.other())).await?;
        rollout.states.apply(host, HostEvent::CheckPassed)?;
    }
    Ok(())
}
