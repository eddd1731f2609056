//! Work under the lock of the site.

use fabrs::run::effect;
use fabrs::{Error, TaskError};

use super::fleet::Fleet;
use crate::lock::{self, Patience};

/// Does `work` as long as the site is locked on all hosts, and lets go however it ends. A dry run locks nothing.
///
/// Where the lock is lost on a host, the work is dropped and that host is left alone; on the others, which are still locked,
/// `undo` takes back what was done.
///
/// # Errors
///
/// As [`lock::take`]; what the work returned; that the lock was lost.
pub(super) async fn locked<T, U>(
    fleet: &Fleet,
    what: &str,
    patience: Patience,
    work: impl Future<Output = Result<T, TaskError>>,
    undo: impl FnOnce(Error) -> U,
) -> Result<T, Error>
where
    U: Future<Output = Error>,
{
    let taken = lock::take(&fleet.hosts, &fleet.layouts, what, patience);
    let locking = format!("lock {} on {}", fleet.site.root, fleet.label());
    let Some(mut lock) = effect(&locking, taken).await?.made() else {
        return work.await.map_err(TaskError::into_error);
    };
    let came = match lock.during(work).await {
        Ok(done) => done.map_err(TaskError::into_error),
        Err(lost) => {
            fleet.lose(&lost);
            match lock.during(undo(lost)).await {
                Ok(undone) => Err(undone),
                Err(lost) => {
                    fleet.client().note(None, fleet.standing.table(fleet));
                    Err(lost.hint("see to the hosts, then deploy again: that mends what is half done"))
                }
            }
        }
    };
    lock.release().await;
    came
}
