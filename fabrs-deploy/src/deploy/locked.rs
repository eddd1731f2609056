//! Work under the lock of the site.

use std::time::Duration;

use fabrs::lock::{Lock, LockRequest};
use fabrs::{Error, TaskError};
use futures::future::join_all;
use tokio::time::timeout;

use super::site_hosts::SiteHosts;

/// How long what was told to end is waited for: longer than the ladder from TERM to KILL.
const ENDS: Duration = Duration::from_secs(3);

/// What a deploy does while another run has the site locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LockWait {
    /// As the run says (`--wait`).
    #[default]
    Default,
    /// It fails.
    No,
    /// It waits.
    Endless,
    /// It waits at most this long.
    AtMost(Duration),
}

impl LockWait {
    pub(super) fn of(waits: bool) -> Self {
        if waits { Self::Endless } else { Self::No }
    }

    fn apply(self, locking: LockRequest) -> LockRequest {
        match self {
            Self::Default => locking,
            Self::No => locking.wait(false),
            Self::Endless => locking.wait(true),
            Self::AtMost(limit) => locking.wait_at_most(limit),
        }
    }
}

/// Does `work` as long as the site is locked on all hosts, and lets go however it ends. A dry run locks nothing.
///
/// Where the lock is lost on a host, the work is dropped and that host is left alone; on the others, which are still locked,
/// `undo` takes back what was done.
///
/// # Errors
///
/// As a [`LockRequest`]; what the work returned; that the lock was lost.
pub(super) async fn locked<T, U>(
    fleet: &SiteHosts,
    what: &str,
    lock_wait: LockWait,
    work: impl Future<Output = Result<T, TaskError>>,
    undo: impl Fn(Error) -> U,
) -> Result<T, Error>
where
    U: Future<Output = Error>,
{
    let mut lock = lock_wait.apply(fleet.locking()?.purpose(what)).await?;
    fleet.set_lock(lock.handle());
    let came = match lock.during(work).await {
        Ok(done) => done.map_err(TaskError::into_error),
        Err(lost) => Err(undone(fleet, &mut lock, lost, undo).await),
    };
    lock.release().await;
    came
}

/// Takes back what was done, on the hosts on which the site is still locked, and returns the error; again, without it, where one
/// more is lost meanwhile.
async fn undone<U>(fleet: &SiteHosts, lock: &mut Lock, mut lost: Error, undo: impl Fn(Error) -> U) -> Error
where
    U: Future<Output = Error>,
{
    loop {
        fleet.lose(&lost);
        // What was dropped is told to end, and has not ended yet: nothing is to be changed beside it.
        let ends = fleet.hosts.connections().iter().map(|host| timeout(ENDS, host.close()));
        join_all(ends).await;
        if fleet.standing.is_settled() {
            return lost.hint("what was deployed is live, and stays");
        }
        match lock.during(undo(lost)).await {
            Ok(undone) => return undone,
            Err(one_more) => lost = one_more,
        }
    }
}
