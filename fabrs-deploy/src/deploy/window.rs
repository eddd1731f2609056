//! The sliding window of a rollout: a host starts as soon as another host has passed its health
//! check.

use std::num::NonZeroUsize;

use fabrs::{Group, TaskError};

use crate::deploy::rollout::Rollout;
use crate::deploy::{drain, health_check, restart, switch, watch};
use crate::outcomes::all_ok;

/// Switches, restarts, checks and watches each host, with at most `size` hosts at a time. After the
/// first failure, no further host starts, and hosts in progress finish.
///
/// # Errors
///
/// The errors of the failed hosts.
pub(super) async fn roll_out(rollout: &Rollout<'_>, hosts: &Group, size: NonZeroUsize) -> Result<(), TaskError> {
    let size = size.min(hosts.strategy().limit);
    let release = &rollout.target.release;
    let phase = rollout.hosts.phase("switch", hosts.connections());
    rollout.set_phase("switch");
    let window = hosts.clone().limit(size).stop_on_failure();
    let checked = window.each(|host| async move {
        switch::run_hooks_before(rollout, &host).await?;
        let only = hosts.filter(|other| other.host() == host.host());
        drain::drain(rollout, &only).await?;
        switch::to_target(rollout, &host).await?;
        restart::restart(rollout, &host, release).await?;
        health_check::check(rollout, &host, release).await?;
        drain::undrain(rollout, &host, release).await?;
        watch::measure_gates(rollout, &only, &rollout.hosts.site.watch).await.map(drop)
    });
    all_ok(checked.await)?;
    phase.done(format!("at most {size} at a time"));
    Ok(())
}
