//! The batches of a rollout: each batch is switched, restarted and checked before the next batch
//! begins.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use fabrs::{Batches, Connection, Error, Group, Host, TaskError};

use crate::deploy::rollout::Rollout;
use crate::deploy::{health_check, restart, switch, window};
use crate::outcomes::{all_ok, label, names};
use crate::release::SiteKind;
use crate::rollout_order::RolloutOrder;

/// Switches all hosts to the target release, in the order set by the site. `after_first_switch`
/// runs between the switch and the restart of the first batch.
///
/// # Errors
///
/// The errors of the first failed batch, or of the failed hosts of a window. All later hosts are
/// unchanged then.
pub(super) async fn roll_out(
    rollout: &Rollout<'_>,
    after_first_switch: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), TaskError> {
    let hosts = rollout.hosts.group.connections().len();
    match &rollout.hosts.site.order {
        RolloutOrder::Batches(batches) => in_batches(rollout, batches, after_first_switch).await,
        RolloutOrder::Window(size) => in_window(rollout, size.hosts_of(hosts), after_first_switch).await,
        RolloutOrder::Invalid(error) => Err(error.clone().into()),
    }
}

async fn in_batches(
    rollout: &Rollout<'_>,
    batches: &Batches,
    after_first_switch: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), TaskError> {
    let sizes = batches.sizes(rollout.hosts.group.connections().len());
    let first_size = sizes.first().copied().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    let batches = split(rollout, &sizes)?;
    let mut after_first_switch = Some(after_first_switch);
    for (number, batch) in (1..).zip(&batches) {
        if batches.len() > 1 {
            let text = format!("batch {number} of {}: {}", batches.len(), names(batch.connections()));
            rollout.hosts.client().note(None, text);
        }
        switch_hosts(rollout, batch).await?;
        let Some(after_first_switch) = after_first_switch.take() else {
            restart_and_check(rollout, batch).await?;
            continue;
        };
        after_first_switch.await?;
        // In place, the hosts of once-only steps may make the first batch larger than its size.
        for part in batch.batches([first_size])? {
            restart_and_check(rollout, &part).await?;
        }
    }
    Ok(())
}

/// Rolls out in a sliding window. For a deploy in place, the hosts of once-only steps are switched
/// first: the steps need the new code, and run before any service loads it.
async fn in_window(
    rollout: &Rollout<'_>,
    size: NonZeroUsize,
    after_first_switch: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), TaskError> {
    let first = once_hosts(rollout)?;
    let is_first = |host: &Connection| host.host().is_some_and(|host| first.contains(host));
    let group = &rollout.hosts.group;
    let (first, others) = (group.filter(is_first), group.filter(|host| !is_first(host)));
    if !first.connections().is_empty() {
        switch_hosts(rollout, &first).await?;
    }
    after_first_switch.await?;
    for part in first.batches([size])? {
        restart_and_check(rollout, &part).await?;
    }
    if !others.connections().is_empty() {
        window::roll_out(rollout, &others, size).await?;
    }
    Ok(())
}

/// Switches the hosts of a batch in parallel.
async fn switch_hosts(rollout: &Rollout<'_>, batch: &Group) -> Result<(), TaskError> {
    let text = format!("switching {} to {}", label(batch.connections()), rollout.target_name());
    rollout.hosts.client().note(None, text);
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
        health_check::check(rollout, &host, release).await
    });
    all_ok(checked.await)?;
    Ok(())
}

/// Splits the hosts into batches of these sizes. For a deploy in place, the hosts of once-only
/// steps are all in the first batch: the steps need the new code, and run before any service loads
/// it. Later batches are smaller then.
fn split(rollout: &Rollout<'_>, sizes: &[usize]) -> Result<Vec<Group>, Error> {
    let group = &rollout.hosts.group;
    let first = once_hosts(rollout)?;
    let all = group.connections().iter().filter_map(Connection::host);
    let (mut order, rest): (Vec<&Host>, Vec<&Host>) = all.partition(|host| first.contains(*host));
    order.extend(rest);
    let mut later = order.as_slice();
    let mut batches = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let size = if index == 0 { first.len().max(*size) } else { *size };
        let (batch, others) = later.split_at(size.min(later.len()));
        later = others;
        if !batch.is_empty() {
            // A filter keeps the order and the limits of the group.
            batches.push(group.filter(|host| host.host().is_some_and(|host| batch.contains(&host))));
        }
    }
    Ok(batches)
}

/// Returns the hosts of once-only steps and of the database for a deploy in place. Releases run
/// these steps before the first switch, so no host is returned.
fn once_hosts<'a>(rollout: &'a Rollout<'_>) -> Result<HashSet<&'a Host>, Error> {
    let hosts = rollout.hosts;
    let mut once: HashSet<&Host> = HashSet::new();
    if hosts.site.kind == SiteKind::Releases {
        return Ok(once);
    }
    for (scope, _) in hosts.site.once.iter() {
        once.extend(hosts.first_of(scope.or(&hosts.site.once_hosts))?.host());
    }
    once.extend(hosts.database()?.and_then(|(host, _)| host.host()));
    Ok(once)
}
