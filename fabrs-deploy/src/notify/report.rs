//! The report of a deploy: the outcome, the state of each host, and the new commits.

use std::time::{Duration, SystemTime};

use fabrs::event::escape_controls;
use serde::{Deserialize, Serialize};

use crate::database::migration_log::UnknownMigrations;
use crate::release::id::ReleaseId;
use crate::run_id::{Operator, RunId};
use crate::source::changes::CommitChanges;
use crate::source::revision::Revision;
use crate::whole_seconds::whole_seconds;

/// The report of a finished deploy or rollback.
///
/// [`Webhook`](crate::Webhook) sends the report as JSON, with the names of these fields as keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeployReport {
    /// The operation: a deploy or a rollback.
    pub action: DeployAction,
    /// The outcome.
    pub outcome: DeployOutcome,
    /// `true` if the target release is live on all hosts. This includes a deploy that failed in its
    /// last phase, such as in a post-deploy step.
    pub is_live: bool,
    /// The error of a failed or cancelled operation.
    pub error: Option<String>,
    /// The name of the application ([`Site::name`](crate::Site::name)).
    pub application: String,
    /// The directory of the site.
    pub site: String,
    /// The environment of the run, if any.
    pub environment: Option<String>,
    /// The migrations unknown to the live release, with the snapshot made before them.
    pub unknown_migrations: Option<UnknownMigrations>,
    /// The target release: the new release of a deploy, or the chosen release of a rollback.
    pub release: ReleaseId,
    /// The revision of the target release.
    pub revision: Revision,
    /// The user and machine of the run.
    pub by: Operator,
    /// The id of this deploy or rollback.
    pub run: RunId,
    /// The reason for a deploy during a freeze window.
    pub override_reason: Option<String>,
    /// The reason for a deploy of a commit that has not passed the earlier stages of a pipeline.
    pub stage_override_reason: Option<String>,
    /// The start time: RFC 3339, UTC, by the clock of this machine.
    pub started: String,
    /// The end time, in the same format.
    pub finished: String,
    /// The state of each host.
    pub hosts: Vec<HostReport>,
    /// The feature flags in a rollout: on for some users only. Empty without the plugin
    /// [`Waffle`](crate::Waffle).
    pub flags: Vec<FlagReport>,
    /// The commits since each revision that was live before.
    pub changes: Vec<ChangesSince>,
    /// The duration. The JSON key is `seconds`.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    #[serde(skip)]
    pub(crate) at: SystemTime,
}

/// An operation on a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeployAction {
    /// A deploy.
    Deploy,
    /// The build of a release without a switch: [`Deploy::hold`](crate::Deploy::hold).
    Hold,
    /// The promotion of a held release: [`Site::promote`](crate::Site::promote).
    Promote,
    /// A rollback.
    Rollback,
}

impl DeployAction {
    /// Returns the name of the operation: `deploy`, `hold`, `promote` or `rollback`.
    ///
    /// ```
    /// assert_eq!(fabrs_deploy::DeployAction::Rollback.as_str(), "rollback");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Hold => "hold",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// The outcome of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeployOutcome {
    /// The release is live on all hosts.
    Live,
    /// The release is built on all hosts, and live on none.
    Held,
    /// The operation failed. The state of each host is part of the report.
    Failed,
    /// The run was stopped, for example by Ctrl-C. The state of each host is part of the report.
    Cancelled,
}

impl DeployOutcome {
    /// Returns the name of the outcome: `live`, `held`, `failed` or `cancelled`.
    ///
    /// ```
    /// assert_eq!(fabrs_deploy::DeployOutcome::Live.as_str(), "live");
    /// assert_eq!(fabrs_deploy::DeployOutcome::Cancelled.as_str(), "cancelled");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The state of a host after an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HostReport {
    /// The host.
    pub host: String,
    /// The state, as text for people.
    pub state: String,
}

/// A feature flag in a rollout: on for some users only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FlagReport {
    /// The name of the flag.
    pub name: String,
    /// The users of the flag, as text for people: `20 %, staff`.
    pub state: String,
}

/// The commits between a revision that was live before and the new revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangesSince {
    /// The revision that was live before.
    pub since: Revision,
    /// The commits. The JSON has the fields of [`CommitChanges`] beside `since`.
    #[serde(flatten)]
    pub changes: CommitChanges,
}

impl DeployReport {
    /// Returns the report in one line, with the application, the environment, the result, the
    /// revision and the release:
    ///
    /// ```text
    /// [shop] production: deployed deployable-314 (1a2b3c4d5e), release 20261103140211
    /// [shop] production: deploy of deployable-314 (1a2b3c4d5e) failed, release 20261103140211
    /// [shop] production: deploy of deployable-314 (1a2b3c4d5e) cancelled, release 20261103140211
    /// [shop] production: rolled back to deployable-313 (5e4d3c2b1a), release 20261102090000
    /// ```
    pub fn subject(&self) -> String {
        let (revision, outcome) = (&self.revision, self.outcome.as_str());
        let result = match (self.action, self.outcome) {
            (DeployAction::Deploy, DeployOutcome::Live) => format!("deployed {revision}"),
            (DeployAction::Deploy, _) => format!("deploy of {revision} {outcome}"),
            (DeployAction::Hold, DeployOutcome::Held) => format!("holds {revision}"),
            (DeployAction::Hold, _) => format!("build of {revision} {outcome}"),
            (DeployAction::Promote, DeployOutcome::Live) => format!("promoted {revision}"),
            (DeployAction::Promote, _) => format!("promotion of {revision} {outcome}"),
            (DeployAction::Rollback, DeployOutcome::Live) => format!("rolled back to {revision}"),
            (DeployAction::Rollback, _) => format!("rollback to {revision} {outcome}"),
        };
        let environment = self.environment.as_ref().map_or_else(String::new, |name| format!("{name}: "));
        format!("[{}] {environment}{result}, release {}", self.application, self.release)
    }

    /// Returns the report as text: the subject, the error, the state of each host, the feature
    /// flags in a rollout, and the commits.
    ///
    /// Control characters are escaped, since commits and hosts may contain text of other people.
    pub fn text(&self) -> String {
        let mut lines = vec![self.subject()];
        lines.extend(self.error.iter().map(|error| format!("\n{error}")));
        lines.push(String::new());
        let width = self.hosts.iter().map(|host| host.host.len()).max().unwrap_or(0);
        lines.extend(self.hosts.iter().map(|host| format!("{:width$}  {}", host.host, host.state)));
        lines.extend(self.flags.iter().map(FlagReport::line));
        lines.extend(self.override_reason.iter().map(|reason| format!("freeze overridden: {reason}")));
        lines.extend(self.stage_override_reason.iter().map(|reason| format!("stages overridden: {reason}")));
        lines.extend(self.unknown_migrations.iter().map(|unknown| format!("\n{unknown}")));
        for ChangesSince { since, changes } in &self.changes {
            lines.push(format!("\ncommits since {since}:"));
            lines.extend(if changes.is_empty() { vec!["  none".to_owned()] } else { changes.lines() });
        }
        let elapsed = whole_seconds(self.elapsed);
        lines.push(format!("\nrelease {}, by {}, in {elapsed}, run {}", self.release, self.by, self.run));
        escape_controls(&lines.join("\n")).into_owned() + "\n"
    }

    /// Returns the end time in seconds since 1970.
    pub(super) fn unix_time(&self) -> u64 {
        self.unix_millis() / 1000
    }

    /// Returns the end time in milliseconds since 1970.
    pub(super) fn unix_millis(&self) -> u64 {
        let since = self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns the environment, or else `production`, since some services require a name.
    #[cfg(feature = "notify-http")]
    pub(super) fn environment_name(&self) -> &str {
        self.environment.as_deref().unwrap_or("production")
    }

    /// Returns a report for unit tests, without hosts and commits.
    #[cfg(test)]
    pub(super) fn example(action: DeployAction, outcome: DeployOutcome) -> Self {
        Self {
            action,
            outcome,
            is_live: outcome == DeployOutcome::Live,
            error: None,
            application: "shop".to_owned(),
            site: "/srv/shop".to_owned(),
            environment: Some("production".to_owned()),
            unknown_migrations: None,
            override_reason: None,
            stage_override_reason: None,
            release: "20261103140211".parse().expect("a valid id"),
            revision: Revision::new("1a2b3c4d5e6f7a8b", "deployable-314"),
            by: Operator::unknown(),
            run: RunId::default(),
            started: String::new(),
            finished: String::new(),
            hosts: Vec::new(),
            flags: Vec::new(),
            changes: Vec::new(),
            elapsed: Duration::ZERO,
            at: SystemTime::UNIX_EPOCH,
        }
    }
}

impl FlagReport {
    /// Returns the flag in one line. An escaped line end in its name cannot imitate another line.
    fn line(&self) -> String {
        format!("flag {}: {}", self.name, self.state).replace('\n', "\\n")
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_has_the_application_the_environment_the_result_and_the_release() {
        let (revision, release) = ("deployable-314 (1a2b3c4d5e)", "release 20261103140211");
        for (action, outcome, result) in [
            (DeployAction::Deploy, DeployOutcome::Live, format!("deployed {revision}")),
            (DeployAction::Deploy, DeployOutcome::Failed, format!("deploy of {revision} failed")),
            (DeployAction::Deploy, DeployOutcome::Cancelled, format!("deploy of {revision} cancelled")),
            (DeployAction::Rollback, DeployOutcome::Live, format!("rolled back to {revision}")),
            (DeployAction::Rollback, DeployOutcome::Failed, format!("rollback to {revision} failed")),
            (DeployAction::Rollback, DeployOutcome::Cancelled, format!("rollback to {revision} cancelled")),
        ] {
            assert_eq!(
                DeployReport::example(action, outcome).subject(),
                format!("[shop] production: {result}, {release}")
            );
        }
        let without =
            DeployReport { environment: None, ..DeployReport::example(DeployAction::Deploy, DeployOutcome::Live) };
        assert_eq!(without.subject(), format!("[shop] deployed {revision}, {release}"));
    }
}
