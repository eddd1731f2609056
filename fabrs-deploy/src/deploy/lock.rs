//! Work under the lock of the site, and the revert on the remaining hosts after the lock of a host
//! is lost.

use std::sync::OnceLock;
use std::time::Duration;

use fabrs::{Error, Lock, LockRequest, TaskError};
use futures::future::join_all;
use tokio::time::timeout;

use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::revert;
use crate::deploy::rollout::Rollout;

/// The wait for the end of dropped commands: longer than the sequence from TERM to KILL.
const COMMAND_END_WAIT: Duration = Duration::from_secs(3);

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
    let result = match lock.during(work).await {
        Ok(result) => result.map_err(TaskError::into_error),
        Err(lost) => Err(revert_remaining(&mut lock, hosts, rollout.get(), lost).await),
    };
    lock.release().await;
    result
}

/// Reverts the rollout on the hosts still locked, and returns the error. If the lock of another
/// host is lost meanwhile, the revert begins anew without the host.
async fn revert_remaining(
    lock: &mut Lock,
    hosts: &ConnectedSite,
    rollout: Option<&Rollout<'_>>,
    mut lost: Error,
) -> Error {
    loop {
        if let (Some(rollout), Some(host)) = (rollout, lost.host()) {
            rollout.states.mark_lock_lost(host);
        }
        // The dropped commands have received a signal, but may still run. The revert must not
        // overlap with their changes.
        let closing = hosts.group.connections().iter().map(|host| timeout(COMMAND_END_WAIT, host.close()));
        join_all(closing).await;
        let Some(rollout) = rollout else { return lost };
        let balancers = [rollout.drains.connections(), rollout.blue_green.connections()];
        join_all(
            balancers
                .into_iter()
                .flatten()
                .map(|balancer_connections| balancer_connections.run.close(COMMAND_END_WAIT)),
        )
        .await;
        if rollout.is_promoted() {
            return lost.hint("the new release is live, and stays live");
        }
        match lock.during(revert::revert(rollout, lost)).await {
            Ok(error) => return error,
            Err(lost_another) => lost = lost_another,
        }
    }
}
