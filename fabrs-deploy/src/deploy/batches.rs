//! The batches of a rollout: all hosts are switched, then restarted and checked batch by batch.

use std::num::NonZeroUsize;

use fabrs::{Group, TaskError};

use crate::deploy::rollout::Rollout;
use crate::deploy::{health_check, restart, switch};
use crate::outcomes::{all_ok, label};

/// Switches all hosts to the target release, then restarts and checks them batch by batch.
/// `all_switched` runs between the switch and the first restart.
///
/// # Errors
///
/// The error of the switch, or the errors of the first failed batch.
pub(super) async fn roll_out(
    rollout: &Rollout<'_>,
    all_switched: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), TaskError> {
    let size = rollout.hosts.site.batch_size.unwrap_or(NonZeroUsize::MAX);
    switch_hosts(rollout, &rollout.hosts.group).await?;
    all_switched.await?;
    for batch in rollout.hosts.group.batches(size) {
        restart_and_check(rollout, &batch).await?;
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
