//! The restart of the services of one host.

use fabrs::{Connection, TaskError};

use crate::deploy::rollout::Rollout;
use crate::release::ReleaseId;

/// Runs the restart steps of a host, so that its services load the live release.
///
/// # Errors
///
/// The first error of a step, with the last lines of the logs.
pub(super) async fn restart(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let app = rollout.hosts.app(host, release)?;
    match rollout.hosts.site.restart.run(&app).await {
        Ok(()) => Ok(()),
        Err(error) => Err(rollout.logs.with_lines(rollout.hosts, host, error).await),
    }
}
