//! What a release says of itself: a file in its folder, written when it is whole.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::id::ReleaseId;
use crate::run_id::{RunId, Who};
use crate::source::revision::Revision;

/// What a release is: in its folder as `.fabrs-release.json`, from when all of it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Its name.
    pub release: ReleaseId,
    /// What of the source it was made from.
    pub revision: Revision,
    /// Who made it, and where.
    pub by: Who,
    /// The run that made it: the same on all hosts, and in what the run has told.
    #[serde(default)]
    pub run: RunId,
    /// When it was made: RFC 3339, UTC, by the clock of who made it.
    pub at: String,
    /// The release that was live on this host before.
    pub previous: Option<ReleaseId>,
    /// The last migration of each application that it brings, as `shop.0003_notes`.
    #[serde(default)]
    pub migrations: Vec<String>,
}

impl Manifest {
    pub(crate) fn new(release: ReleaseId, revision: Revision, by: Who, run: RunId) -> Self {
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { release, revision, by, run, at, previous: None, migrations: Vec::new() }
    }

    /// Returns it as a line of JSON.
    pub(crate) fn to_json_line(&self) -> String {
        // Its fields are texts, which JSON can always hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What is said of a release that turned out bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BadMark {
    /// Who said so.
    pub by: Who,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// Why.
    pub reason: String,
}

impl BadMark {
    pub(crate) fn new(by: Who, reason: impl Into<String>) -> Self {
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { by, at, reason: reason.into() }
    }

    /// Returns it as a line of JSON.
    pub(crate) fn to_json_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
