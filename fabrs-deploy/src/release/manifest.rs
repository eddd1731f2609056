//! The manifest of a release, and the mark of a bad release.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::id::ReleaseId;
use crate::run_id::{Operator, RunId};
use crate::source::revision::Revision;

/// The manifest of a release: the file `.fabrs-release.json` in the directory of the release.
///
/// A deploy writes the manifest at the end of the build, so a release with a manifest is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The id of the release.
    pub release: ReleaseId,
    /// The revision of the release.
    pub revision: Revision,
    /// The user and machine of the deploy.
    pub by: Operator,
    /// The id of the deploy that built the release, the same on all hosts and in the report of the
    /// deploy.
    #[serde(default)]
    pub run: RunId,
    /// The build time: RFC 3339, UTC, by the clock of the deploying machine.
    pub at: String,
    /// The release that was live on this host before.
    pub previous: Option<ReleaseId>,
    /// The last migration of each application in the release, for example `shop.0003_notes`.
    #[serde(default)]
    pub migrations: Vec<String>,
    /// The file of the database snapshot taken before the migrations of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_file: Option<String>,
    /// The reason for a deploy during a freeze window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
    /// The reason for a deploy without the earlier stages of a pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_override_reason: Option<String>,
}

impl Manifest {
    pub(crate) fn new(release: ReleaseId, revision: Revision, by: Operator, run: RunId) -> Self {
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self {
            release,
            revision,
            by,
            run,
            at,
            previous: None,
            migrations: Vec::new(),
            snapshot_file: None,
            override_reason: None,
            stage_override_reason: None,
        }
    }

    /// Returns the manifest as one line of JSON.
    pub(crate) fn to_json_line(&self) -> String {
        // All fields are strings or lists of strings, which always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The mark of a held release: the file `.fabrs-held` in the directory of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldMark {
    /// The user and machine of the run that built the release.
    pub by: Operator,
    /// The time of the mark: RFC 3339, UTC.
    pub at: String,
}

impl HeldMark {
    pub(crate) fn new(by: Operator) -> Self {
        Self { by, at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string() }
    }

    /// Returns the mark as one line of JSON.
    pub(crate) fn to_json_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The mark of a bad release: the file `BAD_RELEASE` in the directory of the release.
///
/// A deploy marks its release if a restart or a health check fails after the switch. A rollback to
/// an earlier release marks the release that was live before. Later rollbacks skip marked releases,
/// and deploys skip builds whose last release has a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BadMark {
    /// The user and machine of the run that marked the release.
    pub by: Operator,
    /// The time of the mark: RFC 3339, UTC.
    pub at: String,
    /// The reason.
    #[serde(alias = "why")]
    pub reason: String,
}

impl BadMark {
    pub(crate) fn new(by: Operator, reason: impl Into<String>) -> Self {
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { by, at, reason: reason.into() }
    }

    /// Returns the mark as one line of JSON.
    pub(crate) fn to_json_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
