//! The transaction of a deploy or a rollback: the lock, the rollout or its revert, and the report.

use std::sync::OnceLock;

use fabrs::{Error, ErrorKind, TaskError};

use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::live_release::LiveRelease;
use crate::deploy::lock::{self, LockWait};
use crate::deploy::operation_log;
use crate::deploy::phase_count;
use crate::deploy::report::{self, StartTime};
use crate::deploy::rollout::Rollout;
use crate::deploy::target::TargetRelease;
use crate::deploy::{blue_green, pipeline_stage, unknown_migrations};
use crate::notify::DeployAction;

/// The operation of a transaction.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: DeployAction,
    /// The purpose of the lock, as shown to other runs: `deploy of deployable-314 (abc1234)`.
    pub(super) purpose: String,
    pub(super) lock_wait: LockWait,
}

/// Locks the site, prepares the target release, makes it live, records the operation, sends the
/// report, and records the stage of the pipeline. A failure after the preparation is recorded and
/// reported as well.
///
/// `go_live` reverts its own failures. After a lost lock, this function reverts the rollout.
///
/// # Errors
///
/// The errors of the lock and of `prepare`, before any change. The errors of `go_live`.
pub(super) async fn run(
    hosts: &ConnectedSite,
    operation: Operation,
    prepare: impl Future<Output = Result<TargetRelease, TaskError>>,
    go_live: impl AsyncFnOnce(&Rollout<'_>) -> Result<(), TaskError>,
) -> Result<LiveRelease, TaskError> {
    // From here on, a stop counts as a failure: partial changes must be reverted.
    let _guard = hosts.client().stop().guard();
    hosts.phases.plan(phase_count::count(hosts, operation.kind)?);
    let (start, rollout) = (StartTime::now(), OnceLock::new());
    let result = locked(hosts, &operation, &rollout, prepare, go_live).await.map_err(without_own_location);
    if let Some(rollout) = rollout.get() {
        let is_live = operation.kind != DeployAction::Hold && result.is_ok() || rollout.is_promoted();
        let unknown = unknown_migrations::of_live_release(rollout, is_live).await;
        if let Some(unknown) = &unknown {
            hosts.client().warn(None, unknown.to_string());
        }
        operation_log::record(rollout, operation.kind, start, &result, is_live).await;
        report::send(rollout, operation.kind, start, &result, is_live, unknown).await;
        // After the report, since the remote with the records may hang.
        pipeline_stage::record(rollout, operation.kind, start, &result).await;
    }
    result?;
    match rollout.into_inner() {
        Some(Rollout { target: TargetRelease { release, revision, .. }, .. }) => Ok(LiveRelease { release, revision }),
        None => Err(Error::new(ErrorKind::Internal, "internal error: the operation ended without a rollout").into()),
    }
}

async fn locked<'a>(
    hosts: &'a ConnectedSite,
    operation: &Operation,
    rollout: &OnceLock<Rollout<'a>>,
    prepare: impl Future<Output = Result<TargetRelease, TaskError>>,
    go_live: impl AsyncFnOnce(&Rollout<'_>) -> Result<(), TaskError>,
) -> Result<(), Error> {
    let request = operation.lock_wait.apply(hosts.lock_request()?.purpose(&operation.purpose));
    let phase = hosts.phase("lock", hosts.group.connections());
    let lock = request.await?;
    phase.done("");
    let handle = lock.handle();
    let work = async {
        let prepared = Rollout::new(hosts, handle, prepare.await?)?;
        let rollout = rollout.get_or_init(|| prepared);
        blue_green::choose_sides(rollout);
        go_live(rollout).await
    };
    lock::during(lock, hosts, rollout, work).await
}

/// Removes a location in this crate from an error, since users cannot act on such a location.
fn without_own_location(error: Error) -> Error {
    let own = file!().split_once("deploy/transaction.rs").map_or("", |(folder, _)| folder);
    match error.location() {
        Some(at) if at.file().starts_with(own) => error.without_location(),
        _ => error,
    }
}
