//! The drain of hosts: out of the balancer before a switch, and back after the health check.

use std::collections::{HashMap, HashSet};

use fabrs::{Connection, Error, ErrorKind, Group, TaskError, cmd};

use crate::balancer::{
    BalancerConnections, BalancerServer, ConnectedBalancer, HostServers, ServerEntry, ServerState, StateChange,
};
use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::drains::{DrainProgress, DrainedHost, DrainedServer};
use crate::deploy::rollout::Rollout;
use crate::outcomes::{all_ok, label, names};
use crate::release::{DRAINED_FILE, ReleaseId};
use crate::site::Site;

/// Checks access to the balancer, and that a batch leaves an active server.
///
/// # Errors
///
/// As [`ConnectedBalancer::preflight`]. [`ErrorKind::Usage`] if a batch contains all active
/// servers.
pub(super) async fn preflight(hosts: &ConnectedSite, surveys: &Surveys) -> Result<(), TaskError> {
    let Some(balancer) = &hosts.site.balancer else { return Ok(()) };
    let balancer = ConnectedBalancer::new(balancer, hosts.client())?;
    balancer.preflight().await?;
    let is_live = |host: &Connection| host.host().and_then(|host| surveys.get(host)?.live()).is_some();
    let live = hosts.group.filter(is_live);
    let servers = balancer.names_of(live.connections())?;
    let mut marks = Vec::new();
    for host in live.connections() {
        marks.push(read_mark(hosts, host).await?);
    }
    let at_once = hosts_at_once(&hosts.site, hosts.group.connections().len())?;
    for on_host in balancer.servers().await? {
        let ours = on_host.find_all(&balancer, &servers)?;
        // A server drained by an earlier run returns with its batch, before the active servers are
        // drained. A server drained by an operator stays out.
        let is_usable = |(server, mark): (&ServerEntry, &Vec<String>)| {
            server.before == ServerState::Ready || mark.contains(&mark_line(&balancer, server))
        };
        let states = ours.iter().map(|(server, _)| server).zip(&marks).map(is_usable);
        let usable: Vec<Connection> = live
            .connections()
            .iter()
            .zip(states)
            .filter(|(_, is_usable)| *is_usable)
            .map(|(host, _)| host.clone())
            .collect();
        if !usable.is_empty() && at_once >= usable.len() && !on_host.has_others_than(&servers) {
            return Err(last_servers(&balancer, &on_host, &usable).into());
        }
    }
    Ok(())
}

/// Moves the hosts that receive no requests from the balancer to the front, so that they are back
/// before the active hosts are drained.
///
/// # Errors
///
/// The errors of the balancer.
pub(super) async fn inactive_first(rollout: &Rollout<'_>, hosts: Group) -> Result<Group, TaskError> {
    let Some(BalancerConnections { run, .. }) = rollout.drains.connections() else { return Ok(hosts) };
    let mut active = HashSet::new();
    for on_host in run.servers().await? {
        active.extend(on_host.servers.iter().filter(|server| server.is_active()).map(|server| server.name.clone()));
    }
    let mut names = HashMap::new();
    for (host, name) in hosts.connections().iter().zip(run.names_of(hosts.connections())?) {
        names.insert(host.host().cloned(), name);
    }
    Ok(hosts.sort_by_key(|host| names.get(&host.host().cloned()).is_some_and(|name| active.contains(name))))
}

/// Returns the largest number of hosts that are switched at once.
///
/// # Errors
///
/// The error of an invalid canary size.
pub(super) fn hosts_at_once(site: &Site, total: usize) -> Result<usize, Error> {
    let canary = match site.strategy.canary() {
        Some(canary) => canary.size()?.hosts_of(total).get(),
        None => 0,
    };
    Ok(site.order.hosts_at_once(total).max(canary))
}

/// Returns the error of a drain of hosts that are the last active servers of a balancer host.
fn last_servers(balancer: &ConnectedBalancer, on_host: &HostServers, hosts: &[Connection]) -> Error {
    let (balancer_name, label) = (balancer.name(), &on_host.label);
    let mut text = format!("draining {} would leave {balancer_name} on {label} without an active server", names(hosts));
    let drained = balancer.names_of(hosts).unwrap_or_default();
    let others = on_host.servers.iter().filter(|server| !server.is_active() && !drained.contains(&server.name));
    let (mut reasons, mut out) = (Vec::new(), Vec::new());
    for BalancerServer { name, state, .. } in others {
        if *state == ServerState::Ready {
            reasons.push(format!("{name} is down"));
        } else {
            reasons.push(format!("{name} is out already"));
            out.push(name.as_str());
        }
    }
    if !reasons.is_empty() {
        text = format!("{text}: {}", reasons.join(", "));
    }
    let returned = Some(out.join(", ")).filter(|out| !out.is_empty());
    let hint = match (returned, hosts.len() > 1) {
        (Some(out), true) => format!("return {out} to the balancer, or deploy in smaller batches (`.rolling(1)`)"),
        (Some(out), false) => format!("return {out} to the balancer"),
        (None, true) => "deploy in smaller batches (`.rolling(1)`), or add another server to the balancer".to_owned(),
        (None, false) => "repair or add another server of the balancer".to_owned(),
    };
    Error::new(ErrorKind::Usage, text).hint(hint)
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
    if let Some(BalancerConnections { run, .. }) = rollout.drains.connections() {
        drain_servers(rollout, &serving, run).await?;
    }
    let drained = serving.each(|host| async move {
        let Some(live) = rollout.target.live_before(&host) else { return Ok(()) };
        run_drain_steps(rollout, &host, live).await
    });
    all_ok(drained.await)?;
    Ok(())
}

/// Runs the drain steps of a host.
///
/// # Errors
///
/// The errors of the steps.
pub(super) async fn run_drain_steps(
    rollout: &Rollout<'_>,
    host: &Connection,
    live: &ReleaseId,
) -> Result<(), TaskError> {
    let site = &rollout.hosts.site;
    if site.drain.iter().next().is_none() {
        return Ok(());
    }
    if rollout.drains.of(host).is_none() {
        rollout.drains.insert(host, DrainedHost::default());
    }
    site.drain.run(&rollout.hosts.app(host, live)?).await?;
    rollout.drains.set_progress(host, DrainProgress::Drained);
    Ok(())
}

/// Drains the servers of hosts on all balancer hosts, and waits for the end of their sessions.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if no active server would remain. The errors of the balancer.
pub(super) async fn drain_servers(
    rollout: &Rollout<'_>,
    hosts: &Group,
    balancer: &ConnectedBalancer,
) -> Result<(), TaskError> {
    let Some(BalancerConnections { recovery, .. }) = rollout.drains.connections() else { return Ok(()) };
    let balancer_lock = rollout.drains.balancer_lock.lock().await;
    let changed = plan(rollout, hosts, balancer).await?;
    if changed.is_empty() {
        return Ok(());
    }
    for (host, drained) in &changed {
        write_mark(rollout, host, balancer, drained).await?;
        rollout.drains.insert(host, drained.clone());
    }
    let all: Vec<&DrainedServer> = changed.iter().flat_map(|(_, drained)| &drained.servers).collect();
    let changes_to = |to| all.iter().map(|drained| drained.change_to(to)).collect::<Vec<StateChange>>();
    balancer.apply(&changes_to(ServerState::Drained), recovery).await?;
    for (host, _) in &changed {
        rollout.drains.set_progress(host, DrainProgress::Drained);
    }
    drop(balancer_lock);
    balancer.wait_for_sessions(&all.iter().map(|drained| drained.server.clone()).collect::<Vec<_>>()).await?;
    if balancer.settings().disabled_state() != ServerState::Drained {
        let _balancer_lock = rollout.drains.balancer_lock.lock().await;
        balancer.apply(&changes_to(balancer.settings().disabled_state()), recovery).await?;
    }
    Ok(())
}

/// Returns the servers to change for each host: all servers that are ready, or that an earlier run
/// has drained.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if no active server would remain.
async fn plan(
    rollout: &Rollout<'_>,
    hosts: &Group,
    balancer: &ConnectedBalancer,
) -> Result<Vec<(Connection, DrainedHost)>, TaskError> {
    let mut marks = Vec::new();
    for host in hosts.connections() {
        marks.push(read_mark(rollout.hosts, host).await?);
    }
    let servers = balancer.names_of(hosts.connections())?;
    let mut drained = vec![DrainedHost::default(); servers.len()];
    for on_host in balancer.servers().await? {
        let found = on_host.find_all(balancer, &servers)?;
        if found.iter().any(|(_, found)| found.is_active()) && !on_host.has_others_than(&servers) {
            return Err(last_servers(balancer, &on_host, hosts.connections()).into());
        }
        for (((server, found), drained), (host, mark)) in
            found.into_iter().zip(&mut drained).zip(hosts.connections().iter().zip(&marks))
        {
            if server.before == ServerState::Ready {
                // A failing release may have taken the server down. Its revert brings it back.
                let must_be_up = found.is_active() || rollout.drains.was_up(&server);
                drained.servers.push(DrainedServer { server, must_be_up });
            } else if mark.contains(&mark_line(balancer, &server)) {
                drained.servers.push(DrainedServer { server: server.ready_before(), must_be_up: true });
            } else {
                let text = format!("already drained on {}, and stays drained after the deploy", on_host.label);
                rollout.hosts.client().note(host.host(), text);
            }
        }
    }
    let all = hosts.connections().iter().cloned().zip(drained);
    Ok(all.filter(|(_, drained)| !drained.servers.is_empty()).collect())
}

/// Returns a host to its balancer, if this run has drained the host. The servers get their old
/// states. A stop of the run does not end this work.
///
/// # Errors
///
/// The errors of the balancer and of the undrain steps. [`ErrorKind::Task`] if the health check of
/// the balancer fails. The host is back in the balancer then.
pub(super) async fn undrain(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let Some(drained) = rollout.drains.of(host) else { return Ok(()) };
    let host = &host.uncancellable()?;
    let change = rollout.balancer_changes.read().await;
    rollout.hosts.site.undrain.run(&rollout.hosts.app(host, release)?).await?;
    if let Some(BalancerConnections { recovery, .. }) = rollout.drains.connections() {
        let balancer_lock = rollout.drains.balancer_lock.lock().await;
        rollout.drains.set_progress(host, DrainProgress::Returning);
        recovery.apply_where_possible(&drained.changes_back()).await?;
        drop(balancer_lock);
        remove_mark(rollout, host).await?;
    }
    rollout.drains.remove(host);
    drop(change);
    if let Some(BalancerConnections { recovery, .. }) = rollout.drains.connections() {
        let servers = drained.servers.iter().filter(|drained| drained.must_be_up);
        recovery.wait_until_up(&servers.map(|drained| drained.server.clone()).collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Returns the line of a server in the mark of its host.
fn mark_line(balancer: &ConnectedBalancer, server: &ServerEntry) -> String {
    format!("{}: {} on {}", balancer.name(), server.name, balancer.label_of(server))
}

/// Returns the path of the mark of a drained host: the list of its servers. A later run uses the
/// mark after a killed run or a failed revert.
fn mark_file(hosts: &ConnectedSite, host: &Connection) -> Result<String, Error> {
    Ok(format!("{}/{DRAINED_FILE}", hosts.layouts.of(host)?.private_dir()))
}

async fn read_mark(hosts: &ConnectedSite, host: &Connection) -> Result<Vec<String>, Error> {
    let file = mark_file(hosts, host)?;
    host.probe(cmd!("cat {file} 2> /dev/null || :")).named("read the mark of a drained host").lines().await
}

async fn write_mark(
    rollout: &Rollout<'_>,
    host: &Connection,
    balancer: &ConnectedBalancer,
    drained: &DrainedHost,
) -> Result<(), Error> {
    let file = mark_file(rollout.hosts, host)?;
    let lines: Vec<String> = drained.servers.iter().map(|drained| mark_line(balancer, &drained.server)).collect();
    host.run(cmd!("printf '%s\\n' {lines...} > {file}")).named("mark the host as drained").await?;
    Ok(())
}

async fn remove_mark(rollout: &Rollout<'_>, host: &Connection) -> Result<(), Error> {
    let file = mark_file(rollout.hosts, host)?;
    host.run(cmd!("rm -f {file}")).named("remove the mark of a drained host").await?;
    Ok(())
}
