//! Work under the lock of the site, and the revert on the remaining hosts after the lock of a host
//! is lost.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use fabrs::config::Mode;
use fabrs::{Client, Error, ErrorKind, Lock, LockRequest, TaskError};
use futures::future::join_all;
use tokio::time::timeout;

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::revert;
use crate::deploy::rollout::Rollout;

/// The wait for the end of dropped commands: longer than the sequence from TERM to KILL.
const COMMAND_END_WAIT: Duration = Duration::from_secs(3);

/// The longest wait for the end of balancer changes that a stop of the run does not end. A reload
/// of nginx waits up to 10 s for its old workers.
const BALANCER_CHANGE_WAIT: Duration = Duration::from_secs(30);

/// The reaction to a lock held by another run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LockWait {
    /// The setting of the run decides (`--wait`).
    #[default]
    Default,
    /// Fail at once.
    Never,
    /// Wait without a limit.
    Endless,
    /// Wait up to this long.
    AtMost(Duration),
}

impl LockWait {
    pub(super) fn from_flag(waits: bool) -> Self {
        if waits { Self::Endless } else { Self::Never }
    }

    pub(super) fn apply(self, request: LockRequest) -> LockRequest {
        match self {
            Self::Default => request,
            Self::Never => request.wait(false),
            Self::Endless => request.wait(true),
            Self::AtMost(limit) => request.wait_at_most(limit),
        }
    }

    fn is_waiting(self, client: &Client) -> bool {
        match self {
            Self::Default => client.settings().wait_for_locks,
            Self::Never => false,
            Self::Endless | Self::AtMost(_) => true,
        }
    }
}

/// Refuses an operation if another run holds the lock, and the operation does not wait. A person
/// then approves nothing in vain. In a dry run, a warning names the holder.
///
/// # Errors
///
/// The error of the lock itself: [`ErrorKind::Task`] with the holder.
pub(super) fn check_free(hosts: &ConnectedSite, surveys: &Surveys, wait: LockWait) -> Result<(), Error> {
    let holders = surveys.iter().filter_map(|(host, survey)| Some((host, &survey.lock_holder.as_ref()?.0)));
    // The lock tries the hosts in the order of their names.
    let Some((host, holder)) = holders.min_by_key(|(host, _)| host.to_string()) else { return Ok(()) };
    let (client, text) = (hosts.client(), format!("locked by {holder}"));
    let is_waiting = wait.is_waiting(client);
    if client.settings().mode != Mode::Run {
        let effect = if is_waiting { "waits for the lock" } else { "is refused now" };
        client.warn(Some(host), format!("{text}: a run without `-n` {effect}"));
        return Ok(());
    }
    if is_waiting {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Task, text).on(host);
    Err(error.hint("wait for the lock: `--wait`, or `.wait(true)` in the task"))
}

/// Runs `work` while the site is locked on all hosts, and releases the lock in every case. A dry
/// run locks nothing.
///
/// If the lock of a host is lost, `work` is dropped, and no further command changes that host. A
/// prepared rollout is reverted on the other hosts.
///
/// # Errors
///
/// The error of `work`, or the loss of the lock.
pub(super) async fn during(
    mut lock: Lock,
    hosts: &ConnectedSite,
    rollout: &OnceLock<Rollout<'_>>,
    work: impl Future<Output = Result<(), TaskError>>,
) -> Result<(), Error> {
    let result = match until_lost(&mut lock, rollout, work).await {
        Ok(result) => result.map_err(TaskError::into_error),
        Err(lost) => Err(revert_remaining(&mut lock, hosts, rollout, lost).await),
    };
    lock.release().await;
    result
}

/// Runs `work` until it ends, or until the lock of a host is lost. Changes of the balancer over
/// connections unaffected by a stop then end before `work` is dropped: the revert must not overlap
/// with them. Until that end, `work` continues, but begins no other such change.
async fn until_lost<T>(
    lock: &mut Lock,
    rollout: &OnceLock<Rollout<'_>>,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    let lost = match lock.during(&mut work).await {
        Ok(done) => return Ok(done),
        Err(lost) => lost,
    };
    if let Some(rollout) = rollout.get() {
        if let Some(host) = lost.host() {
            rollout.states.mark_lock_lost(host);
        }
        // The writer is first in the queue: later changes do not begin.
        tokio::select! {
            biased;
            _ended = timeout(BALANCER_CHANGE_WAIT, rollout.balancer_changes.write()) => {}
            _done = work => {}
        }
    }
    Err(lost)
}

/// Reverts the rollout on the hosts still locked, and returns the error. If the lock of another
/// host is lost meanwhile, the revert begins anew without the host.
async fn revert_remaining(
    lock: &mut Lock,
    hosts: &ConnectedSite,
    rollout: &OnceLock<Rollout<'_>>,
    mut lost: Error,
) -> Error {
    loop {
        // The dropped commands have received a signal, but may still run. The revert must not
        // overlap with their changes.
        let closing = hosts.group.connections().iter().map(|host| timeout(COMMAND_END_WAIT, host.close()));
        join_all(closing).await;
        let Some(prepared) = rollout.get() else { return lost };
        let balancers = [prepared.drains.connections(), prepared.blue_green.connections()];
        let closing = balancers.into_iter().flatten().map(|balancer| balancer.run.close(COMMAND_END_WAIT));
        join_all(closing).await;
        if prepared.is_promoted() {
            return lost.hint("the new release is live, and stays live");
        }
        match until_lost(lock, rollout, revert::revert(prepared, lost)).await {
            Ok(error) => return error,
            Err(lost_another) => lost = lost_another,
        }
    }
}
