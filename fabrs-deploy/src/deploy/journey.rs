//! The frame of a deploy and a rollback: lock, changes, revert after a lost lock, and notifications.

use std::sync::OnceLock;

use fabrs::{Error, ErrorKind, TaskError};

use super::begin::Coming;
use super::locked::{LockWait, locked};
use super::site_hosts::SiteHosts;
use super::{LiveRelease, news, state, take_back};
use crate::notify::DeployAction;

/// Decides on the release under the lock, makes the changes, and notifies all receivers of the outcome.
///
/// # Errors
///
/// The errors of `decide`, before any change; the errors of `changes`; as [`locked`].
pub(super) async fn journey(
    fleet: &SiteHosts,
    event: DeployAction,
    what: &str,
    lock_wait: LockWait,
    decide: impl Future<Output = Result<Coming, TaskError>>,
    changes: impl AsyncFnOnce(&Coming) -> Result<(), TaskError>,
) -> Result<LiveRelease, TaskError> {
    // From here on, a stop counts as a failure: partial changes must be reverted.
    let _hold = fleet.client().stop().guard();
    let (began, coming) = (news::Began::now(), OnceLock::new());
    let work = async {
        let decided = decide.await?;
        changes(coming.get_or_init(|| decided)).await
    };
    let undo = async |lost| match coming.get() {
        Some(coming) => take_back(fleet, coming, lost).await,
        None => lost,
    };
    let came = locked(fleet, what, lock_wait, work, undo).await.map_err(without_own_location);
    if let Some(coming) = coming.get() {
        let ahead = state::ahead(fleet, coming, came.is_ok() || fleet.standing.is_settled()).await;
        if let Some(ahead) = &ahead {
            fleet.client().warn(None, ahead.to_string());
        }
        news::tell(fleet, coming, event, began, &came, ahead).await;
    }
    came?;
    let none = || Error::new(ErrorKind::Internal, "it went well, and never began");
    let Coming { release, revision, .. } = coming.into_inner().ok_or_else(none)?;
    Ok(LiveRelease { release, revision })
}

/// Removes the location of an error if it is a line of the kit, since users can't act on it.
fn without_own_location(error: Error) -> Error {
    let own = file!().split_once("deploy/journey.rs").map_or("", |(folder, _)| folder);
    match error.location() {
        Some(at) if at.file().starts_with(own) => error.without_location(),
        _ => error,
    }
}
