//! The batches of a rollout: each batch is switched, restarted and checked before the next batch
//! begins.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use fabrs::{Connection, Error, Group, Host, TaskError};

use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::deploy::{blue_green, drain, health_check, restart, switch, watch, window};
use crate::outcomes::{all_ok, label, names};
use crate::release::SiteKind;
use crate::rollout_order::RolloutOrder;
use crate::step::Steps;

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
    let mut hosts = rollout.hosts.group.clone();
    let total = hosts.connections().len();
    let mut after_first_switch = Some(after_first_switch);
    // In a rollback, a canary would keep the failing release on the other hosts.
    let canary = site.strategy.canary().filter(|_| rollout.target.origin != ReleaseOrigin::EarlierRun);
    if let Some(canary) = canary {
        let size = canary.size()?.hosts_of(total);
        let (first, others) = split_first(rollout, &hosts, size)?;
        rollout.hosts.client().note(None, format!("canary: {}", names(first.connections())));
        roll_out_batch(rollout, &first, size, after_first_switch.take()).await?;
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
    mut hosts: Group,
    sizes: &[usize],
    mut after_first_switch: Option<F>,
) -> Result<(), TaskError>
where
    F: Future<Output = Result<(), TaskError>>,
{
    let mut batches = Vec::new();
    for size in sizes.iter().copied().filter_map(NonZeroUsize::new) {
        let first =
            if batches.is_empty() && after_first_switch.is_some() { once_hosts(rollout)? } else { HashSet::new() };
        let (batch, others) = split_with(&hosts, size, &first);
        hosts = others;
        if !batch.connections().is_empty() {
            batches.push((batch, size));
        }
    }
    for (number, (batch, size)) in (1..).zip(&batches) {
        if batches.len() > 1 {
            let text = format!("batch {number} of {}: {}", batches.len(), names(batch.connections()));
            rollout.hosts.client().note(None, text);
        }
        roll_out_batch(rollout, batch, *size, after_first_switch.take()).await?;
    }
    Ok(())
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
        let once = once_hosts(rollout)?;
        let first = hosts.filter(|host| host.host().is_some_and(|host| once.contains(host)));
        hosts = hosts.filter(|host| host.host().is_some_and(|host| !once.contains(host)));
        roll_out_batch(rollout, &first, size, after_first_switch).await?;
    }
    if hosts.connections().is_empty() {
        return Ok(());
    }
    window::roll_out(rollout, &hosts, size).await
}

/// Switches, restarts and checks the hosts of a batch, and measures the gates of the site.
async fn roll_out_batch<F>(
    rollout: &Rollout<'_>,
    batch: &Group,
    size: NonZeroUsize,
    after_first_switch: Option<F>,
) -> Result<(), TaskError>
where
    F: Future<Output = Result<(), TaskError>>,
{
    if !batch.connections().is_empty() {
        switch_hosts(rollout, batch).await?;
    }
    if let Some(after_first_switch) = after_first_switch {
        after_first_switch.await?;
    }
    // In place, the hosts of once-only steps may make the first batch larger than its size.
    for part in batch.batches([size])? {
        restart_and_check(rollout, &part).await?;
    }
    watch::watch(rollout, batch, &rollout.hosts.site.watch).await
}

/// Switches the hosts of a batch in parallel, after the hooks of all these hosts.
async fn switch_hosts(rollout: &Rollout<'_>, batch: &Group) -> Result<(), TaskError> {
    let text = format!("switching {} to {}", label(batch.connections()), rollout.target_name());
    rollout.hosts.client().note(None, text);
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
async fn restart_and_check(rollout: &Rollout<'_>, batch: &Group) -> Result<(), TaskError> {
    let release = &rollout.target.release;
    rollout.hosts.client().note(None, format!("restarting services on {}", label(batch.connections())));
    rollout.set_phase("restart");
    let checked = batch.each(|host| async move {
        restart::restart(rollout, &host, release).await?;
        health_check::check(rollout, &host, release).await?;
        drain::undrain(rollout, &host, release).await
    });
    all_ok(checked.await)?;
    Ok(())
}

/// Splits the first batch from the hosts of a deploy.
fn split_first(rollout: &Rollout<'_>, hosts: &Group, size: NonZeroUsize) -> Result<(Group, Group), Error> {
    Ok(split_with(hosts, size, &once_hosts(rollout)?))
}

/// Splits a batch from a group: all hosts of `first`, and others up to `size`.
fn split_with(hosts: &Group, size: NonZeroUsize, first: &HashSet<&Host>) -> (Group, Group) {
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
fn once_hosts<'a>(rollout: &'a Rollout<'_>) -> Result<HashSet<&'a Host>, Error> {
    let hosts = rollout.hosts;
    let mut once: HashSet<&Host> = HashSet::new();
    if hosts.site.kind == SiteKind::Releases {
        return Ok(once);
    }
    for (scope, _) in hosts.site.once_steps().into_iter().flat_map(Steps::iter) {
        once.extend(hosts.first_of(scope.or(&hosts.site.once_hosts))?.host());
    }
    once.extend(hosts.database()?.and_then(|(host, _)| host.host()));
    Ok(once)
}
