//! The balancer of a blue-green site: the switch to the new side, and the switch back.

use fabrs::config::Mode;
use fabrs::{Connection, TaskError};

use crate::balancer::{BalancerConnections, ConnectedBalancer, ServerEntry, ServerState, StateChange};
use crate::deploy::host_state::HostEvent;
use crate::deploy::rollout::Rollout;
use crate::strategy::BlueGreen;

/// The servers of one deployed host on one host of the balancer.
struct SideServers<'a> {
    host: &'a Connection,
    /// The name of the balancer host.
    label: String,
    live: ServerEntry,
    idle: ServerEntry,
}

/// Switches the balancer to the new side of all hosts in one step. A server in maintenance first
/// passes the health check of the balancer, without requests.
///
/// # Errors
///
/// As [`ConnectedBalancer::wait_until_up`] and [`ConnectedBalancer::apply`].
pub(super) async fn switch(rollout: &Rollout<'_>, strategy: &BlueGreen) -> Result<(), TaskError> {
    rollout.set_phase("switch");
    let Some(connections) = rollout.blue_green.connections() else { return Ok(()) };
    let changes = changes(rollout, strategy, &connections.run).await?;
    let ready = changes.iter().filter(|change| change.to == ServerState::Ready);
    let ready: Vec<ServerEntry> = ready.map(|change| change.server.clone()).collect();
    let in_maintenance = ready.iter().filter(|server| server.before == ServerState::Maintenance);
    let checked: Vec<StateChange> =
        in_maintenance.map(|server| StateChange { server: server.clone(), to: ServerState::Drained }).collect();
    rollout.blue_green.set_switched(changes.clone());
    connections.run.apply(&checked, &connections.recovery).await?;
    connections.run.wait_until_up(&ready).await?;
    for host in rollout.hosts.group.connections() {
        rollout.states.apply(host, HostEvent::SwitchSent)?;
    }
    connections.run.apply(&changes, &connections.recovery).await?;
    Ok(())
}

/// Returns the changes that enable the new side and disable the old side of all hosts. A host
/// without a ready server was taken out by an operator, and stays out.
async fn changes(
    rollout: &Rollout<'_>,
    strategy: &BlueGreen,
    balancer: &ConnectedBalancer,
) -> Result<Vec<StateChange>, TaskError> {
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for SideServers { host, label, live, idle } in servers(rollout, strategy, balancer).await? {
        if rollout.target.live_side(host).is_some() && [&live, &idle].iter().all(|server| !is_ready(server)) {
            let text = format!("out of {} on {label}, and stays out after the deploy", balancer.name());
            rollout.hosts.client().note(host.host(), text);
            continue;
        }
        new.push(StateChange { server: idle, to: ServerState::Ready });
        old.push(StateChange { server: live, to: balancer.settings().disabled_state() });
    }
    new.extend(old);
    Ok(new)
}

/// Completes the switch back of an interrupted run: the recorded live side of each host receives
/// the requests, and the idle side receives none. A restart of the balancer may also have enabled
/// both sides.
///
/// # Errors
///
/// [`ErrorKind::Task`] if the live side without requests fails its health check. Nothing was
/// changed then. The errors of the balancer.
pub(super) async fn settle(rollout: &Rollout<'_>, strategy: &BlueGreen) -> Result<(), TaskError> {
    let Some(BalancerConnections { run, recovery }) = rollout.blue_green.connections() else { return Ok(()) };
    let (mut live, mut idle) = (Vec::new(), Vec::new());
    for servers in servers(rollout, strategy, run).await? {
        if rollout.target.live_side(servers.host).is_none() || !is_ready(&servers.idle) {
            continue;
        }
        if !is_ready(&servers.live) {
            check_live_side(rollout, strategy, run, &servers).await?;
            live.push(StateChange { server: servers.live, to: ServerState::Ready });
        }
        idle.push(servers.idle);
    }
    if idle.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = idle.iter().map(|server| format!("{} on {}", server.name, run.label_of(server))).collect();
    let text = format!("{} sends requests to an idle side: taking out {}", run.name(), names.join(", "));
    rollout.hosts.client().warn(None, text);
    let change_to = |to| idle.iter().map(move |server| StateChange { server: server.clone(), to });
    let drained: Vec<StateChange> = live.into_iter().chain(change_to(ServerState::Drained)).collect();
    run.apply(&drained, recovery).await?;
    run.wait_for_sessions(&idle).await?;
    run.apply(&change_to(run.settings().disabled_state()).collect::<Vec<_>>(), recovery).await?;
    Ok(())
}

/// Runs the health checks of the live side, since this side receives the requests again.
async fn check_live_side(
    rollout: &Rollout<'_>,
    strategy: &BlueGreen,
    balancer: &ConnectedBalancer,
    servers: &SideServers<'_>,
) -> Result<(), TaskError> {
    let (host, hosts) = (servers.host, rollout.hosts);
    let (Some(side), Some(release)) = (rollout.target.live_side(host), rollout.target.live_before(host)) else {
        return Ok(());
    };
    if hosts.client().settings().mode != Mode::Run {
        return Ok(());
    }
    let app = hosts.app(host, release)?.with_side(Some((side, strategy.port(side))));
    hosts.site.health.run(&app).await.map_err(|error| {
        let text = format!(
            "{} on {} sends requests to {}, and the recorded live side {side} fails its health check",
            balancer.name(),
            servers.label,
            servers.idle.name
        );
        let error = error.context(text).into_error();
        TaskError::from(error.hint(format!("start the services of {side}, then deploy again")))
    })
}

/// Switches the balancer back after a failure. If this fails, the hosts keep `current` and their
/// workers.
pub(super) async fn switch_back(rollout: &Rollout<'_>) {
    let Some(BalancerConnections { recovery, .. }) = rollout.blue_green.connections() else { return };
    let _change = rollout.balancer_changes.read().await;
    let switched = rollout.blue_green.switched();
    let back = switched.iter().map(|change| StateChange { to: change.server.before, ..change.clone() });
    if let Err(error) = recovery.apply_where_possible(&back.collect::<Vec<_>>()).await {
        let text = format!("{} could not be switched back: {}", recovery.name(), error.message());
        rollout.hosts.client().warn(error.host(), text);
        return;
    }
    rollout.blue_green.mark_switched_back();
}

/// Returns the servers of all hosts on all hosts of the balancer.
async fn servers<'a>(
    rollout: &'a Rollout<'_>,
    strategy: &BlueGreen,
    balancer: &ConnectedBalancer,
) -> Result<Vec<SideServers<'a>>, TaskError> {
    let mut all = Vec::new();
    for on_host in balancer.servers().await? {
        for host in rollout.hosts.group.connections() {
            let new = rollout.target.new_side(host);
            let live = on_host.server(balancer, &strategy.server_name(balancer, host, new.other())?)?;
            let idle = on_host.server(balancer, &strategy.server_name(balancer, host, new)?)?;
            all.push(SideServers { host, label: on_host.label.clone(), live, idle });
        }
    }
    Ok(all)
}

fn is_ready(server: &ServerEntry) -> bool {
    server.before == ServerState::Ready
}
