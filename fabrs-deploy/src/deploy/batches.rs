//! The batches of a rollout: each batch is switched, restarted and checked before the next batch
//! begins.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use fabrs::{Connection, Error, Group, Host, TaskError};

use crate::deploy::rollout::Rollout;
use crate::deploy::{health_check, restart, switch};
use crate::outcomes::{all_ok, label};
use crate::release::SiteKind;

/// Switches all hosts to the target release, batch by batch. `after_first_switch` runs between
/// the switch and the restart of the first batch.
///
/// # Errors
///
/// The errors of the first failed batch. Hosts of later batches are unchanged then.
pub(super) async fn roll_out(
    rollout: &Rollout<'_>,
    after_first_switch: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), TaskError> {
    let size = rollout.hosts.site.batch_size.unwrap_or(NonZeroUsize::MAX);
    let mut after_first_switch = Some(after_first_switch);
    for batch in batches(rollout, size)? {
        switch_hosts(rollout, &batch).await?;
        if let Some(after_first_switch) = after_first_switch.take() {
            after_first_switch.await?;
        }
        // In place, the hosts of once-only steps may make the first batch larger than `size`.
        for part in batch.batches([size])? {
            restart_and_check(rollout, &part).await?;
        }
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

/// Splits the hosts into batches. For a deploy in place, the hosts of once-only steps are all in
/// the first batch: the steps need the new code, and run before any service loads it.
fn batches(rollout: &Rollout<'_>, size: NonZeroUsize) -> Result<Vec<Group>, Error> {
    let group = &rollout.hosts.group;
    if rollout.hosts.site.kind == SiteKind::Releases {
        return group.batches([size]);
    }
    let first = once_hosts(rollout)?;
    let all = group.connections().iter().filter_map(Connection::host);
    let (mut order, rest): (Vec<&Host>, Vec<&Host>) = all.partition(|host| first.contains(*host));
    order.extend(rest);
    let first_size = size.get().max(first.len()).min(order.len());
    let (first, later) = order.split_at(first_size);
    let sets = std::iter::once(first).chain(later.chunks(size.get()));
    // A filter keeps the order and the limits of the group.
    Ok(sets.map(|set| group.filter(|host| host.host().is_some_and(|host| set.contains(&host)))).collect())
}

/// Returns the hosts of once-only steps and of the database.
fn once_hosts<'a>(rollout: &'a Rollout<'_>) -> Result<HashSet<&'a Host>, Error> {
    let hosts = rollout.hosts;
    let mut once: HashSet<&Host> = HashSet::new();
    for (scope, _) in hosts.site.once.iter() {
        once.extend(hosts.first_of(scope.or(&hosts.site.once_hosts))?.host());
    }
    once.extend(hosts.database()?.and_then(|(host, _)| host.host()));
    Ok(once)
}
