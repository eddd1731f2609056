//! The drains of a revert: hosts outside the balancer are reverted first, and then the other hosts,
//! so that an active server remains.

use std::collections::HashSet;

use fabrs::{Connection, Group};

use crate::balancer::{BalancerConnections, ConnectedBalancer, HostServers};
use crate::deploy::drain;
use crate::deploy::host_state::HostState;
use crate::deploy::rollout::Rollout;

/// Returns the next hosts to revert in parallel: all hosts that receive no requests, or else the
/// next hosts in the balancer.
///
/// The second case has at most as many hosts as a batch of the rollout, fewer if the balancer would
/// lose its last active server, and at least one host. Without a drain, all hosts are returned.
pub(super) async fn next_hosts(rollout: &Rollout<'_>, hosts: &Group) -> Group {
    if !rollout.has_drain() {
        return hosts.clone();
    }
    let servers = ActiveServers::read(rollout).await;
    let is_inactive = |host: &Connection| servers.as_ref().is_some_and(|servers| servers.count_active(host) == 0);
    let out = hosts.filter(|host| rollout.drains.is_out(host) || is_inactive(host));
    if !out.connections().is_empty() {
        return out;
    }
    let at_once = drain::hosts_at_once(&rollout.hosts.site, rollout.hosts.group.connections().len()).unwrap_or(1);
    let mut hosts = hosts.clone();
    let mut chosen = Vec::new();
    if let Some(servers) = &servers {
        // After a failed change, a host may be out of only some of the balancer hosts.
        hosts = hosts.sort_by_key(|host| servers.count_active(host));
    }
    for host in hosts.connections().iter().take(at_once) {
        chosen.push(host.clone());
        let is_allowed = servers.as_ref().is_none_or(|servers| servers.has_others_than(&chosen));
        if !is_allowed && chosen.len() > 1 {
            chosen.pop();
            break;
        }
    }
    let chosen: HashSet<_> = chosen.iter().map(Connection::host).collect();
    hosts.filter(|host| chosen.contains(&host.host()))
}

/// The servers of the balancer before the revert of some hosts.
struct ActiveServers<'a> {
    balancer: &'a ConnectedBalancer,
    on_hosts: Vec<HostServers>,
}

impl<'a> ActiveServers<'a> {
    /// Reads the servers. Returns `None` without a balancer, and for a balancer that does not
    /// respond: the drain of each host then reports the error.
    async fn read(rollout: &'a Rollout<'_>) -> Option<Self> {
        let BalancerConnections { recovery: balancer, .. } = rollout.drains.connections()?;
        Some(Self { balancer, on_hosts: balancer.servers().await.ok()? })
    }

    /// Returns the number of balancer hosts that send requests to a host.
    fn count_active(&self, host: &Connection) -> usize {
        let Ok(name) = self.balancer.settings().server_name(host) else { return 0 };
        self.on_hosts.iter().filter(|on_host| on_host.is_active(&name)).count()
    }

    /// Returns whether every balancer host keeps an active server without these hosts.
    fn has_others_than(&self, hosts: &[Connection]) -> bool {
        let Ok(names) = self.balancer.names_of(hosts) else { return false };
        let is_used = |on_host: &HostServers| names.iter().any(|name| on_host.is_active(name));
        self.on_hosts.iter().all(|on_host| !is_used(on_host) || on_host.has_others_than(&names))
    }
}

/// Drains a host before its revert, if the host is in its balancer. A failure is a warning: a host
/// with a bad release must be reverted in any case.
pub(super) async fn drain_host(rollout: &Rollout<'_>, host: &Connection) {
    if !rollout.has_drain() || rollout.drains.is_out(host) || rollout.target.live_before(host).is_none() {
        return;
    }
    let drained = async {
        let _change = rollout.balancer_changes.read().await;
        if let Some(BalancerConnections { recovery, .. }) = rollout.drains.connections() {
            let only = rollout.recovery_hosts(|other| other.host() == host.host());
            drain::drain_servers(rollout, &only, recovery).await?;
        }
        drain::run_drain_steps(rollout, host, &rollout.target.release).await
    };
    if let Err(error) = drained.await {
        let error = error.into_error();
        let text = format!("could not drain the host, and requests can fail during its restart: {}", error.message());
        rollout.hosts.client().warn(host.host(), text);
    }
}

/// Returns drained hosts without a switch to their balancer. A failure is a warning.
pub(super) async fn undrain_unchanged(rollout: &Rollout<'_>) {
    let is_selected =
        |host: &Connection| rollout.states.of(host) == HostState::Unchanged && rollout.drains.of(host).is_some();
    let hosts = rollout.recovery_hosts(is_selected);
    let undrained = hosts.each(|host| async move {
        match rollout.target.live_before(&host) {
            Some(live) => drain::undrain(rollout, &host, live).await,
            None => Ok(()),
        }
    });
    for (host, outcome) in undrained.await.failed() {
        let why = outcome.error().map_or_else(String::new, |error| error.message().to_owned());
        rollout.hosts.client().warn(Some(host), format!("could not return to the balancer: {why}"));
    }
}
