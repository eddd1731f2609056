//! The batches of a rollout: each batch is switched, restarted and checked before the next batch
//! begins.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use fabrs::{Connection, Error, Group, Host, TaskError};

use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::phases::RunningPhase;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::deploy::{blue_green, drain, health_check, restart, switch, watch, window};
use crate::outcomes::{all_ok, names};
use crate::release::SiteKind;
use crate::rollout_order::RolloutOrder;

/// A batch of hosts.
#[derive(Debug)]
struct Batch {
    /// The name of its phase.
    name: String,
    hosts: Group,
    /// The number of hosts to restart at a time.
    size: NonZeroUsize,
}

/// Switches all hosts to the target release: the canary first, and then the other hosts in the
/// order set by the site. `after_first_switch` runs between the first switch and the first restart.
///
/// # Errors
///
/// The errors of the first failed batch, or of the failed hosts of a window. All later hosts are
/// unchanged then.
pub(super) async fn roll_out(
    rollout: &Rollout<'_>,
    after_first_switch: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), TaskError> {
    let site = &rollout.hosts.site;
    if let Some(strategy) = site.strategy.blue_green() {
        return blue_green::roll_out(rollout, strategy).await;
    }
    let mut hosts = drain::inactive_first(rollout, rollout.hosts.group.clone()).await?;
    let total = hosts.connections().len();
    let mut after_first_switch = Some(after_first_switch);
    // In a rollback, a canary would keep the failing release on the other hosts.
    let canary = site.strategy.canary().filter(|_| rollout.target.origin != ReleaseOrigin::EarlierRun);
    if let Some(canary) = canary {
        let size = canary.size()?.hosts_of(total);
        let (first, others) = split_first(rollout, &hosts, size)?;
        let batch = Batch { name: "canary".to_owned(), hosts: first.clone(), size };
        roll_out_batch(rollout, &batch, after_first_switch.take()).await?;
        watch::watch(rollout, &first, &canary.watch).await?;
        hosts = others;
    }
    match &site.order {
        RolloutOrder::Batches(batches) => in_batches(rollout, hosts, &batches.sizes(total), after_first_switch).await,
        RolloutOrder::Window(size) => in_window(rollout, hosts, size.hosts_of(total), after_first_switch).await,
        RolloutOrder::Invalid(error) => Err(error.clone().into()),
    }
}

/// Rolls out in batches of these sizes. For a deploy in place, the hosts of once-only steps are all
/// in the first batch: the steps need the new code, and run before any service loads it. Later
/// batches are smaller then.
async fn in_batches<F>(
    rollout: &Rollout<'_>,
    hosts: Group,
    sizes: &[usize],
    mut after_first_switch: Option<F>,
) -> Result<(), TaskError>
where
    F: Future<Output = Result<(), TaskError>>,
{
    for batch in split_all(rollout.hosts, &hosts, sizes, after_first_switch.is_some())? {
        roll_out_batch(rollout, &batch, after_first_switch.take()).await?;
    }
    Ok(())
}

/// Splits a group into batches of these sizes. The first batch of a deploy has the hosts of
/// [`once_hosts`].
fn split_all(hosts: &ConnectedSite, group: &Group, sizes: &[usize], is_first: bool) -> Result<Vec<Batch>, Error> {
    let (mut batches, mut rest) = (Vec::new(), group.clone());
    for size in sizes.iter().copied().filter_map(NonZeroUsize::new) {
        let first = if batches.is_empty() && is_first { once_hosts(hosts)? } else { HashSet::new() };
        let (batch, others) = split_with(&rest, size, &first);
        rest = others;
        if !batch.connections().is_empty() {
            batches.push(Batch { name: "switch".to_owned(), hosts: batch, size });
        }
    }
    let total = batches.len();
    if total > 1 {
        for (number, batch) in (1..).zip(&mut batches) {
            batch.name = format!("batch {number} of {total}");
        }
    }
    Ok(batches)
}

/// Returns the number of phases of a rollout.
///
/// # Errors
///
/// The errors of the batch sizes, and as [`ConnectedSite::first_of`].
pub(super) fn count_phases(hosts: &ConnectedSite, origin: ReleaseOrigin) -> Result<usize, Error> {
    let site = &hosts.site;
    let (mut group, total) = (hosts.group.clone(), hosts.group.connections().len());
    let gates = usize::from(watch::is_watched(&site.watch, origin));
    if site.strategy.blue_green().is_some() {
        const IDLE_SIDE: usize = 1;
        const SWITCH: usize = 1;
        return Ok(IDLE_SIDE + gates + SWITCH);
    }
    // In place, the once-only steps divide the first batch into two phases.
    let mut parts = [1 + usize::from(has_once_after_switch(hosts))].into_iter();
    let mut count = 0;
    let mut is_first = true;
    if let Some(canary) = site.strategy.canary().filter(|_| origin != ReleaseOrigin::EarlierRun) {
        group = split_with(&group, canary.size()?.hosts_of(total), &once_hosts(hosts)?).1;
        count += parts.next().unwrap_or(1) + gates + usize::from(watch::is_watched(&canary.watch, origin));
        is_first = false;
    }
    match &site.order {
        RolloutOrder::Batches(batches) => {
            let batches = split_all(hosts, &group, &batches.sizes(total), is_first)?;
            Ok(batches.iter().fold(count, |count, _| count + parts.next().unwrap_or(1) + gates))
        }
        RolloutOrder::Window(_) => {
            let once = if is_first { once_hosts(hosts)? } else { HashSet::new() };
            let rest = group.filter(|host| host.host().is_some_and(|host| !once.contains(host)));
            if !once.is_empty() {
                count += parts.next().unwrap_or(1) + gates;
            }
            Ok(count + usize::from(!rest.connections().is_empty()))
        }
        RolloutOrder::Invalid(error) => Err(error.clone()),
    }
}

/// Returns whether once-only steps run between the first switch and the first restart.
fn has_once_after_switch(hosts: &ConnectedSite) -> bool {
    hosts.site.kind == SiteKind::InPlace && hosts.has_once_phase()
}

/// Rolls out in a sliding window. For a deploy in place, the hosts of once-only steps are switched
/// first: the steps need the new code, and run before any service loads it.
async fn in_window<F>(
    rollout: &Rollout<'_>,
    mut hosts: Group,
    size: NonZeroUsize,
    after_first_switch: Option<F>,
) -> Result<(), TaskError>
where
    F: Future<Output = Result<(), TaskError>>,
{
    if after_first_switch.is_some() {
        let once = once_hosts(rollout.hosts)?;
        let first = hosts.filter(|host| host.host().is_some_and(|host| once.contains(host)));
        hosts = hosts.filter(|host| host.host().is_some_and(|host| !once.contains(host)));
        let batch = Batch { name: "switch".to_owned(), hosts: first, size };
        roll_out_batch(rollout, &batch, after_first_switch).await?;
    }
    if hosts.connections().is_empty() {
        return Ok(());
    }
    window::roll_out(rollout, &hosts, size).await
}

/// Switches, restarts and checks the hosts of a batch, and measures the gates of the site.
async fn roll_out_batch<F>(rollout: &Rollout<'_>, batch: &Batch, after_first_switch: Option<F>) -> Result<(), TaskError>
where
    F: Future<Output = Result<(), TaskError>>,
{
    let Batch { name, hosts, size } = batch;
    let connections = hosts.connections();
    let start = |name: &str| (!connections.is_empty()).then(|| rollout.hosts.phase(name, connections));
    let mut phase = start(name);
    if phase.is_some() {
        switch_hosts(rollout, hosts).await?;
    }
    if let Some(after_first_switch) = after_first_switch {
        let is_divided = has_once_after_switch(rollout.hosts);
        if let Some(switched) = phase.take_if(|_| is_divided) {
            switched.done("");
        }
        after_first_switch.await?;
        if is_divided {
            phase = start("restart");
        }
    }
    // In place, the hosts of once-only steps may make the first batch larger than its size.
    for part in hosts.batches([*size])? {
        restart_and_check(rollout, &part, phase.as_ref()).await?;
    }
    if let Some(phase) = phase {
        phase.done(names_of_many(connections));
    }
    watch::watch(rollout, hosts, &rollout.hosts.site.watch).await
}

/// Returns the names of many hosts, since the line of the phase has only their number.
fn names_of_many(hosts: &[Connection]) -> String {
    const MAX_NAMES_IN_LINE: usize = 3;
    if hosts.len() > MAX_NAMES_IN_LINE { names(hosts) } else { String::new() }
}

/// Switches the hosts of a batch in parallel, after the hooks of all these hosts.
async fn switch_hosts(rollout: &Rollout<'_>, batch: &Group) -> Result<(), TaskError> {
    rollout.set_phase("switch");
    let ready = batch.each(|host| async move { switch::run_hooks_before(rollout, &host).await });
    all_ok(ready.await)?;
    drain::drain(rollout, batch).await?;
    rollout.set_phase("switch");
    let switched = batch.each(|host| async move { switch::to_target(rollout, &host).await });
    all_ok(switched.await)?;
    Ok(())
}

/// Restarts and checks the hosts of a batch in parallel: each host is checked as soon as its own
/// services are restarted.
async fn restart_and_check(
    rollout: &Rollout<'_>,
    batch: &Group,
    phase: Option<&RunningPhase>,
) -> Result<(), TaskError> {
    let release = &rollout.target.release;
    rollout.set_phase("restart");
    let checked = batch.each(|host| async move {
        let work = async {
            restart::restart(rollout, &host, release).await?;
            health_check::check(rollout, &host, release).await?;
            drain::undrain(rollout, &host, release).await
        };
        match phase {
            Some(phase) => phase.time(&host, work).await,
            None => work.await,
        }
    });
    all_ok(checked.await)?;
    Ok(())
}

/// Splits the first batch from the hosts of a deploy.
fn split_first(rollout: &Rollout<'_>, hosts: &Group, size: NonZeroUsize) -> Result<(Group, Group), Error> {
    Ok(split_with(hosts, size, &once_hosts(rollout.hosts)?))
}

/// Splits a batch from a group: all hosts of `first`, and others up to `size`.
fn split_with(hosts: &Group, size: NonZeroUsize, first: &HashSet<Host>) -> (Group, Group) {
    let all = hosts.connections().iter().filter_map(Connection::host);
    let (mut order, rest): (Vec<&Host>, Vec<&Host>) = all.partition(|host| first.contains(*host));
    let size = size.get().max(order.len());
    order.extend(rest);
    let batch: HashSet<&Host> = order.into_iter().take(size).collect();
    let is_in_batch = |host: &Connection| host.host().is_some_and(|host| batch.contains(host));
    // A filter keeps the order and the limits of the group.
    (hosts.filter(is_in_batch), hosts.filter(|host| !is_in_batch(host)))
}

/// Returns the hosts of once-only steps and of the database for a deploy in place. Releases run
/// these steps before the first switch, so no host is returned.
fn once_hosts(hosts: &ConnectedSite) -> Result<HashSet<Host>, Error> {
    match hosts.site.kind {
        SiteKind::Releases => Ok(HashSet::new()),
        SiteKind::InPlace => Ok(hosts.once_connections()?.iter().filter_map(Connection::host).cloned().collect()),
    }
}
