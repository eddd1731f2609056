//! Work under the lock of the site.

use fabrs::TaskError;
use fabrs::run::effect;

use super::fleet::Fleet;
use crate::lock::{self, Patience};

/// Does `work` as long as the site is locked on all hosts, and lets go however it ends. A dry run locks nothing.
///
/// # Errors
///
/// As [`lock::take`]; what the work returned; that the lock was lost, with which the work is dropped.
pub(super) async fn locked<T>(
    fleet: &Fleet,
    what: &str,
    patience: Patience,
    work: impl Future<Output = Result<T, TaskError>>,
) -> Result<T, TaskError> {
    let taken = lock::take(&fleet.hosts, &fleet.layouts, what, patience);
    let locking = format!("lock {} on {}", fleet.site.root, fleet.label());
    let Some(mut lock) = effect(&locking, taken).await?.made() else { return work.await };
    let done = lock.during(work).await;
    lock.release().await;
    done.map_err(|lost| fleet.standing.left_as_they_are(fleet, lost))?
}
