//! The drain of hosts: out of the balancer before a switch, and back after the health check.

use std::time::Duration;

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, Group, TaskError, cmd};

use crate::balancer::{Pool, PoolServer, ServerState, StateChange};
use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::drains::{DrainedHost, DrainedServer, Pools};
use crate::deploy::host_state::HostState;
use crate::deploy::rollout::Rollout;
use crate::outcomes::{all_ok, label, names};
use crate::release::ReleaseId;
use crate::site::Site;

/// The wait for the health check of the balancer, after the health check of the host.
const UP_LIMIT: Duration = Duration::from_mins(1);

/// Checks access to the balancer, and that a batch leaves an active server.
///
/// # Errors
///
/// As [`Pool::preflight`]. [`ErrorKind::Usage`] if a batch contains all active servers.
pub(super) async fn preflight(hosts: &ConnectedSite, surveys: &Surveys) -> Result<(), TaskError> {
    let Some(balancer) = &hosts.site.balancer else { return Ok(()) };
    let pool = Pool::new(balancer, hosts.client())?;
    pool.preflight().await?;
    let is_live = |host: &Connection| host.host().and_then(|host| surveys.get(host)?.live()).is_some();
    let live = hosts.group.filter(is_live);
    let servers = pool.names_of(live.connections())?;
    let at_once = hosts_at_once(&hosts.site, hosts.group.connections().len())?;
    for on_host in pool.servers().await? {
        let ours = on_host.find_all(&pool, &servers)?;
        let active = ours.iter().filter(|(_, found)| found.is_active()).count();
        if active > 0 && at_once >= active && !on_host.has_others_than(&servers) {
            return Err(last_servers(&pool, &on_host.label, live.connections()).into());
        }
    }
    Ok(())
}

/// Returns the largest number of hosts that are switched at once.
fn hosts_at_once(site: &Site, total: usize) -> Result<usize, Error> {
    let canary = match site.strategy.canary() {
        Some(canary) => canary.size()?.hosts_of(total).get(),
        None => 0,
    };
    Ok(site.order.hosts_at_once(total).max(canary))
}

fn last_servers(pool: &Pool, balancer: &str, hosts: &[Connection]) -> Error {
    let text = format!("a drain of {} would leave {} on {balancer} without a server", names(hosts), pool.name());
    let error = Error::new(ErrorKind::Usage, text);
    error.hint("deploy in smaller batches (`.rolling(1)`), or enable another server of the backend")
}

/// Drains the hosts of a batch with a live release, and waits for the end of their sessions.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if no active server would remain. The errors of the balancer and of the
/// drain steps. The caller reverts the rollout.
pub(super) async fn drain(rollout: &Rollout<'_>, batch: &Group) -> Result<(), TaskError> {
    let serving = batch.filter(|host| rollout.target.live_before(host).is_some());
    if !rollout.has_drain() || serving.connections().is_empty() {
        return Ok(());
    }
    rollout.hosts.client().note(None, format!("draining {}", label(serving.connections())));
    rollout.set_phase("drain");
    if let Some(pools) = rollout.drains.pools() {
        drain_servers(rollout, &serving, &pools.run, pools).await?;
    }
    let drained = serving.each(|host| async move {
        let Some(live) = rollout.target.live_before(&host) else { return Ok(()) };
        run_drain_steps(rollout, &host, live).await
    });
    all_ok(drained.await)?;
    Ok(())
}

async fn run_drain_steps(rollout: &Rollout<'_>, host: &Connection, live: &ReleaseId) -> Result<(), TaskError> {
    let site = &rollout.hosts.site;
    if site.drain.iter().next().is_none() {
        return Ok(());
    }
    if rollout.drains.of(host).is_none() {
        rollout.drains.insert(host, DrainedHost::default());
    }
    site.drain.run(&rollout.hosts.app(host, live)?).await?;
    rollout.drains.confirm(host);
    Ok(())
}

/// Drains the servers of hosts on all balancer hosts, and waits for the end of their sessions.
async fn drain_servers(rollout: &Rollout<'_>, hosts: &Group, pool: &Pool, pools: &Pools) -> Result<(), TaskError> {
    let turn = rollout.drains.turn.lock().await;
    let changed = plan(rollout, hosts, pool).await?;
    if changed.is_empty() {
        return Ok(());
    }
    for (host, drained) in &changed {
        write_mark(rollout, host, pool, drained).await?;
        rollout.drains.insert(host, drained.clone());
    }
    let all: Vec<&DrainedServer> = changed.iter().flat_map(|(_, drained)| &drained.servers).collect();
    let changes_to = |to| all.iter().map(|drained| drained.change_to(to)).collect::<Vec<StateChange>>();
    pool.apply(&changes_to(ServerState::Drained), &pools.recovery).await?;
    for (host, _) in &changed {
        rollout.drains.confirm(host);
    }
    drop(turn);
    wait_for_sessions(rollout, pool, &all).await?;
    if pool.balancer().stopped_state() != ServerState::Drained {
        let _turn = rollout.drains.turn.lock().await;
        pool.apply(&changes_to(pool.balancer().stopped_state()), &pools.recovery).await?;
    }
    Ok(())
}

/// Returns the servers to change for each host: all servers that are ready, or that an earlier run
/// has drained.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if no active server would remain.
async fn plan(rollout: &Rollout<'_>, hosts: &Group, pool: &Pool) -> Result<Vec<(Connection, DrainedHost)>, TaskError> {
    let mut marks = Vec::new();
    for host in hosts.connections() {
        marks.push(read_mark(rollout, host).await?);
    }
    let servers = pool.names_of(hosts.connections())?;
    let mut drained = vec![DrainedHost::default(); servers.len()];
    for on_host in pool.servers().await? {
        let found = on_host.find_all(pool, &servers)?;
        if found.iter().any(|(_, found)| found.is_active()) && !on_host.has_others_than(&servers) {
            return Err(last_servers(pool, &on_host.label, hosts.connections()).into());
        }
        for (((server, found), drained), (host, mark)) in
            found.into_iter().zip(&mut drained).zip(hosts.connections().iter().zip(&marks))
        {
            let was_active = found.is_active();
            if server.before == ServerState::Ready {
                drained.servers.push(DrainedServer { server, was_active });
            } else if mark.contains(&mark_line(pool, &server)) {
                let server = server.ready_before();
                drained.servers.push(DrainedServer { server, was_active });
            } else {
                let text = format!("already drained on {}, and stays drained after the deploy", on_host.label);
                rollout.hosts.client().note(host.host(), text);
            }
        }
    }
    let all = hosts.connections().iter().cloned().zip(drained);
    Ok(all.filter(|(_, drained)| !drained.servers.is_empty()).collect())
}

async fn wait_for_sessions(rollout: &Rollout<'_>, pool: &Pool, drained: &[&DrainedServer]) -> Result<(), TaskError> {
    // A dry run drains no server, so its sessions do not end.
    if rollout.hosts.client().settings().mode != Mode::Run {
        return Ok(());
    }
    let (limit, servers) = (pool.balancer().drain_limit(), drained.iter().map(|drained| drained.server.clone()));
    let servers: Vec<PoolServer> = servers.collect();
    let busy = pool.wait_until(&servers, limit, |server| server.sessions.is_none_or(|sessions| sessions == 0)).await?;
    if !busy.is_empty() {
        let limit = humantime::format_duration(limit);
        let text = format!("{} still has sessions after {limit}: continuing without a wait", busy.join(", "));
        rollout.hosts.client().warn(None, text);
    }
    Ok(())
}

/// Returns a host to its balancer, if this run has drained the host. The servers get their old
/// states. A stop of the run does not end this work.
///
/// # Errors
///
/// The errors of the balancer and of the undrain steps. [`ErrorKind::Task`] if the health check of
/// the balancer fails. The host then counts as drained.
pub(super) async fn undrain(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let Some(drained) = rollout.drains.of(host) else { return Ok(()) };
    let host = &host.uncancellable()?;
    rollout.hosts.site.undrain.run(&rollout.hosts.app(host, release)?).await?;
    if let Some(Pools { recovery, .. }) = rollout.drains.pools() {
        let turn = rollout.drains.turn.lock().await;
        recovery.apply_where_possible(&drained.changes_back()).await?;
        drop(turn);
        wait_until_up(rollout, recovery, &drained).await?;
        remove_mark(rollout, host).await?;
    }
    rollout.drains.remove(host);
    Ok(())
}

async fn wait_until_up(rollout: &Rollout<'_>, pool: &Pool, drained: &DrainedHost) -> Result<(), TaskError> {
    if rollout.hosts.client().settings().mode != Mode::Run {
        return Ok(());
    }
    let active = drained.servers.iter().filter(|drained| drained.was_active);
    let active: Vec<PoolServer> = active.map(|drained| drained.server.clone()).collect();
    let down = pool.wait_until(&active, UP_LIMIT, |server| server.is_up).await?;
    if down.is_empty() {
        return Ok(());
    }
    let text = format!("{}: the health check of the balancer fails for {}", pool.name(), down.join(", "));
    Err(Error::new(ErrorKind::Task, text).hint("compare this health check with the health check of the site").into())
}

/// Drains a host before its revert, if the host is in its balancer. A failure is a warning: a host
/// with a bad release must be reverted in any case.
pub(super) async fn drain_for_revert(rollout: &Rollout<'_>, host: &Connection) {
    if !rollout.has_drain() || rollout.drains.of(host).is_some() || rollout.target.live_before(host).is_none() {
        return;
    }
    let drained = async {
        if let Some(pools) = rollout.drains.pools() {
            let only = rollout.recovery_hosts(|other| other.host() == host.host());
            drain_servers(rollout, &only, &pools.recovery, pools).await?;
        }
        run_drain_steps(rollout, host, &rollout.target.release).await
    };
    if let Err(error) = drained.await {
        let text = format!("reverted without a drain: {}", error.into_error().message());
        rollout.hosts.client().warn(host.host(), text);
    }
}

/// Limits the hosts that are reverted at once, so that an active server remains.
pub(super) fn limit_for_revert(rollout: &Rollout<'_>, hosts: Group) -> Group {
    let at_once = hosts_at_once(&rollout.hosts.site, rollout.hosts.group.connections().len());
    match (rollout.has_drain(), at_once) {
        (true, Ok(at_once)) => hosts.limit(at_once),
        _ => hosts,
    }
}

/// Returns drained hosts without a switch to their balancer. A failure is a warning.
pub(super) async fn undrain_unchanged(rollout: &Rollout<'_>) {
    let is_selected =
        |host: &Connection| rollout.states.of(host) == HostState::Unchanged && rollout.drains.of(host).is_some();
    let hosts = rollout.recovery_hosts(is_selected);
    let undrained = hosts.each(|host| async move {
        match rollout.target.live_before(&host) {
            Some(live) => undrain(rollout, &host, live).await,
            None => Ok(()),
        }
    });
    for (host, outcome) in undrained.await.failed() {
        let why = outcome.error().map_or_else(String::new, |error| error.message().to_owned());
        rollout.hosts.client().warn(Some(host), format!("could not return to the balancer: {why}"));
    }
}

/// Returns the line of a server in the mark of its host.
fn mark_line(pool: &Pool, server: &PoolServer) -> String {
    format!("{}: {} on {}", pool.name(), server.name, pool.label_of(server))
}

/// Returns the path of the mark of a drained host: the list of its servers. A later run uses the
/// mark after a killed run or a failed revert.
fn mark_file(rollout: &Rollout<'_>, host: &Connection) -> Result<String, Error> {
    Ok(format!("{}/deploy.drained", rollout.hosts.layouts.of(host)?.private_dir()))
}

async fn read_mark(rollout: &Rollout<'_>, host: &Connection) -> Result<Vec<String>, Error> {
    let file = mark_file(rollout, host)?;
    host.probe(cmd!("cat {file} 2> /dev/null || :")).named("read the mark of a drained host").lines().await
}

async fn write_mark(rollout: &Rollout<'_>, host: &Connection, pool: &Pool, drained: &DrainedHost) -> Result<(), Error> {
    let file = mark_file(rollout, host)?;
    let lines: Vec<String> = drained.servers.iter().map(|drained| mark_line(pool, &drained.server)).collect();
    host.run(cmd!("printf '%s\\n' {lines...} > {file}")).named("mark the host as drained").await?;
    Ok(())
}

async fn remove_mark(rollout: &Rollout<'_>, host: &Connection) -> Result<(), Error> {
    let file = mark_file(rollout, host)?;
    host.run(cmd!("rm -f {file}")).named("remove the mark of a drained host").await?;
    Ok(())
}
