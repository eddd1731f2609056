//! A deploy as a stage of a pipeline: the check of the commit, and the record of the result.

use fabrs::{Error, ErrorKind};

use crate::deploy::approval_rule::ApprovalRule;
use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::report::StartTime;
use crate::deploy::rollout::Rollout;
use crate::notify::DeployAction;
use crate::pipeline::StageResult;
use crate::source::Revision;

/// The result of a check that does not refuse the deploy.
#[derive(Debug, Default)]
pub(super) struct StageCheck {
    /// The rule in the approval, if the run overrides the refusal.
    pub(super) rule: Option<ApprovalRule>,
    /// The reason, if the run overrides the refusal of the commit.
    pub(super) override_reason: Option<String>,
}

/// Refuses a commit that has not passed the earlier stages, unless the run has an override reason.
/// A site without a stage accepts every commit.
///
/// # Errors
///
/// As [`PipelineStage::check`](crate::PipelineStage::check).
pub(super) async fn check(hosts: &ConnectedSite, revision: &Revision) -> Result<StageCheck, Error> {
    let Some(stage) = &hosts.site.stage else { return Ok(StageCheck::default()) };
    let override_reason = stage.check(hosts.client(), &revision.commit).await?;
    let rule = override_reason.as_ref().map(|reason| ApprovalRule::new("stages", format!("overridden: {reason}")));
    Ok(StageCheck { rule, override_reason })
}

/// Returns the approved override reason of a run under the lock. A stage may have failed during the
/// approval, or during the wait for the lock: without an approved override, the run is refused.
///
/// # Errors
///
/// As [`check`].
pub(super) async fn reason_under_lock(
    hosts: &ConnectedSite,
    revision: &Revision,
    approved: Option<String>,
) -> Result<Option<String>, Error> {
    match (&hosts.site.stage, approved) {
        (_, Some(reason)) => Ok(Some(reason)),
        (None, None) => Ok(None),
        (Some(stage), None) => stage.check_again(hosts.client(), &revision.commit).await.map(|()| None),
    }
}

/// Records the result of a deploy or a promotion. A failed hold is recorded as well, but a held
/// release has passed no stage yet. A stop of the run and a rollback are not recorded.
///
/// A failure to record is a warning: the release may be live already.
pub(super) async fn record(rollout: &Rollout<'_>, action: DeployAction, start: StartTime, outcome: &Result<(), Error>) {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let Some(stage) = &hosts.site.stage else { return };
    let result = match (action, outcome) {
        (DeployAction::Rollback, _) | (DeployAction::Hold, Ok(())) => return,
        (DeployAction::Deploy | DeployAction::Promote, Ok(())) => StageResult::Passed,
        (_, Err(error)) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::NotRun) => return,
        (_, Err(_)) => StageResult::Failed,
    };
    let override_reason = target.stage_override_reason.clone();
    let record = stage.record(result, target.by.clone(), target.run.clone(), start.elapsed(), override_reason);
    if let Err(error) = stage.record_deploy(hosts.client(), &target.revision.commit, &record).await {
        hosts.client().warn(None, error.message());
    }
}
