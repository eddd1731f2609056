//! The operation log of a host: one entry for each finished deploy, promotion and rollback.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, Hide, cmd};
use serde::{Deserialize, Serialize};

use crate::deploy::host_state::HostState;
use crate::deploy::report::{StartTime, outcome_of};
use crate::deploy::rollout::Rollout;
use crate::notify::{DeployAction, DeployOutcome};
use crate::release::{Layout, ReleaseId, untrusted_json};
use crate::remote_script::with_arguments;
use crate::run_id::{Operator, RunId};
use crate::source::Revision;

/// The file of the log, in [`Layout::private_dir`]: one JSON object per line.
const OPERATION_LOG_FILE: &str = "operations.log";

/// The time limit of one entry: a lost host must not delay the end of a run.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);

/// An entry of the operation log. All hosts of an operation have the same entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperationRecord {
    pub(crate) run: RunId,
    pub(crate) action: DeployAction,
    pub(crate) outcome: DeployOutcome,
    /// `true` if the target release is live on all hosts.
    pub(crate) is_live: bool,
    /// `true` if all hosts have the release from before the operation.
    pub(crate) is_as_before: bool,
    pub(crate) release: ReleaseId,
    pub(crate) revision: Revision,
    pub(crate) by: Operator,
    /// The releases that were live before, without the target release.
    pub(crate) replaced: BTreeSet<ReleaseId>,
    /// The start time: RFC 3339, UTC, by the clock of the deploying machine.
    pub(crate) started: String,
    /// The time of the first switch. `None` if no host was switched.
    pub(crate) switched: Option<String>,
    /// The end time.
    pub(crate) finished: String,
    /// The commit time in seconds since 1970, added by the host.
    #[serde(default, skip_serializing)]
    pub(crate) committed: Option<u64>,
}

impl OperationRecord {
    fn of(
        rollout: &Rollout<'_>,
        action: DeployAction,
        start: StartTime,
        result: &Result<(), Error>,
        is_live: bool,
    ) -> Self {
        let target = &rollout.target;
        let before = target.before.values().filter_map(|survey| survey.live());
        let time = |time| humantime::format_rfc3339_seconds(time).to_string();
        Self {
            run: target.run.clone(),
            action,
            outcome: outcome_of(action, result),
            is_live,
            is_as_before: rollout.states.all(HostState::is_as_before),
            release: target.release.clone(),
            revision: target.revision.clone(),
            by: target.by.clone(),
            replaced: before.filter(|release| **release != target.release).cloned().collect(),
            started: time(start.at()),
            switched: rollout.states.first_switch().map(time),
            finished: time(SystemTime::now()),
            committed: None,
        }
    }
}

/// Appends a finished operation to the log of each host. A failure is a warning: the log is for
/// statistics only. A lost host was reported before.
pub(super) async fn record(
    rollout: &Rollout<'_>,
    action: DeployAction,
    start: StartTime,
    result: &Result<(), Error>,
    is_live: bool,
) {
    // A dry run has no operation to record, and its plan lists the changes of the site only.
    if rollout.hosts.client().settings().mode != Mode::Run {
        return;
    }
    let record = OperationRecord::of(rollout, action, start, result, is_live);
    // All fields are strings, booleans and lists, which always serialize.
    let entry = serde_json::to_string(&record).unwrap_or_default();
    let commit = &record.revision.commit;
    // The manifest of an earlier release is text of the host.
    let is_commit = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = if is_commit { commit.as_str() } else { "" };
    let hosts = rollout.recovery_hosts(|_| true);
    let recorded = hosts.each(|host| {
        let entry = &entry;
        async move {
            let layout = rollout.hosts.layouts.of(&host)?;
            let arguments = [layout.private_dir(), layout.repo(), commit.to_owned(), entry.clone()];
            let script = with_arguments(arguments, include_str!("record_operation.sh"));
            let append = host.with_shell("sh -c").run(script).named("record the operation");
            append.hide(Hide::Both).timeout(RECORD_TIMEOUT).await
        }
    });
    for (host, outcome) in &recorded.await {
        let is_lost = |error: &&Error| matches!(error.kind(), ErrorKind::Connect | ErrorKind::Channel);
        if let Some(error) = outcome.error().filter(|error| !is_lost(error)) {
            let text = format!("could not record the operation for `stats`: {}", error.message());
            rollout.hosts.client().warn(Some(host), text);
        }
    }
}

/// Reads the operation log of a host, the oldest entry first. A missing log is empty.
///
/// # Errors
///
/// The errors of a command.
pub(crate) async fn read(host: &Connection, layout: &Layout) -> Result<Vec<OperationRecord>, Error> {
    let log = format!("{}/{OPERATION_LOG_FILE}", layout.private_dir());
    let read = host.probe(cmd!("if [ -f {log} ]; then tail -n 1200 {log}; fi"));
    let output = read.named("read the operation log").hide(Hide::Both).capture_all().await?;
    // A killed run may have left an incomplete line. Such lines are skipped.
    Ok(output.stdout()?.lines().filter_map(|line| untrusted_json::parse(line).ok()).collect())
}
