//! [`SiteStatus`]: the live release, the locks and the problems of each host of a site.

use std::collections::BTreeMap;

use fabrs::config::Operator;
use fabrs::{Error, Host, LockHolder, ManualLock};
use serde::Serialize;

use crate::deploy::LiveMigrations;
use crate::release::{BadMark, BlueGreenSide, CurrentLink, HostRevert, Manifest, ReleaseId, Survey};
use crate::source::Revision;

/// The status of a site: the result of [`Site::read_status`](crate::Site::read_status).
///
/// The JSON of [`Site::status_json`](crate::Site::status_json) has the names of these fields as
/// keys. An absent value is `null`. New versions may add keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SiteStatus {
    /// The directory of the site, as passed to [`Site::new`](crate::Site::new).
    pub site: String,
    /// The hosts of the group, in its order, with unreachable hosts.
    pub hosts: Vec<HostStatus>,
    /// The check of the migrations of each live release. Empty without a database.
    pub migrations: Vec<LiveMigrations>,
}

/// The status of a site on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// The host.
    pub host: String,
    /// `true` if the state of the host was read. All other fields are empty otherwise.
    pub is_reachable: bool,
    /// The reason for an unreachable host.
    pub error: Option<String>,
    /// The live release: 14 zeros for a live work tree. `None` if no release is live.
    pub live: Option<ReleaseId>,
    /// The live side of a blue-green site.
    pub live_side: Option<BlueGreenSide>,
    /// The release of the idle side of a blue-green site.
    pub idle_release: Option<ReleaseId>,
    /// `true` if the live release equals the live release of most hosts.
    pub is_on_common_release: bool,
    /// The revision of the live release. `None` for a release of another tool.
    pub revision: Option<Revision>,
    /// The user and machine of its deploy. `None` for a live work tree.
    pub by: Option<Operator>,
    /// The time of its build: RFC 3339, UTC. `None` for a live work tree.
    pub at: Option<String>,
    /// `true` if the host has passed its health checks with the live release.
    pub is_verified: bool,
    /// The bad mark of the live release.
    pub bad: Option<BadMark>,
    /// The revert of the host by itself: pending, or finished since the last switch.
    pub host_revert: Option<HostRevert>,
    /// The held releases: built, and live only after their promotion.
    pub held_releases: Vec<ReleaseId>,
    /// `true` if a deploy has drained the host from its balancer.
    pub is_drained: bool,
    /// The manual lock.
    pub manual_lock: Option<ManualLock>,
    /// The run that holds the lock of the site.
    pub lock_holder: Option<ActiveRun>,
    /// The problem of `current`: not a symlink, or a link to a path outside the releases.
    pub current_problem: Option<String>,
    /// The linked files that are missing in `shared`.
    pub missing_files: Vec<String>,
    /// The files of a live work tree with local changes.
    pub changed_files: Vec<String>,
}

/// A run that holds the lock of a site: a deploy or a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ActiveRun {
    /// The user and machine of the run.
    pub by: Operator,
    /// The start time: RFC 3339, UTC, by the clock of its machine.
    pub since: String,
    /// The purpose: `deploy of deployable-314 (1a2b3c4d5e)`.
    pub purpose: String,
    /// The phase: `build`, `fetch`, `migrate`, `once`, `hold`, `idle side`, `drain`, `switch`,
    /// `restart`, `gates`, `confirm`, `finish`, `revert`.
    pub phase: String,
}

impl SiteStatus {
    /// Composes the status of hosts in their order.
    pub(super) fn new(
        site: &str,
        surveys: &[(&Host, Result<&Survey, String>)],
        migrations: Vec<LiveMigrations>,
    ) -> Self {
        let mut counts: BTreeMap<Option<&ReleaseId>, usize> = BTreeMap::new();
        for survey in surveys.iter().filter_map(|(_, survey)| survey.as_ref().ok()) {
            *counts.entry(survey.live()).or_default() += 1;
        }
        // The release on most hosts, or the latest of several such releases.
        let common =
            counts.iter().max_by_key(|(release, count)| (**count, **release)).and_then(|(release, _)| *release);
        let hosts = surveys.iter().map(|(host, survey)| match survey {
            Ok(survey) => HostStatus::new(host, survey, common),
            Err(error) => HostStatus::unreachable(host, error.clone()),
        });
        Self { site: site.to_owned(), hosts: hosts.collect(), migrations }
    }
}

impl HostStatus {
    fn new(host: &Host, survey: &Survey, common: Option<&ReleaseId>) -> Self {
        let found = survey.live().and_then(|live| survey.releases.get(live));
        let DeployRecord { revision, by, at } = DeployRecord::of(survey.live_manifest());
        Self {
            host: host.label().to_string(),
            is_reachable: true,
            error: None,
            live: survey.live().cloned(),
            live_side: survey.live_side,
            idle_release: survey.live_side.and_then(|side| survey.sides.get(&side.other()).cloned()),
            is_on_common_release: survey.live() == common,
            revision,
            by,
            at,
            is_verified: found.is_some_and(|found| found.is_verified),
            bad: found.and_then(|found| found.bad.clone()),
            host_revert: survey.host_revert.clone(),
            held_releases: survey.held_releases().cloned().collect(),
            is_drained: survey.is_drained,
            manual_lock: survey.manual_lock.clone(),
            lock_holder: survey.lock_holder.as_ref().map(|(holder, phase)| ActiveRun::new(holder, phase)),
            current_problem: match &survey.current {
                CurrentLink::Foreign(to) => Some(format!("`current` links to `{to}`")),
                CurrentLink::NotALink => Some("`current` is not a symlink".to_owned()),
                CurrentLink::Missing | CurrentLink::Release(_) => None,
            },
            missing_files: survey.missing.clone(),
            changed_files: survey.dirty.clone(),
        }
    }

    fn unreachable(host: &Host, error: String) -> Self {
        Self { host: host.label().to_string(), error: Some(error), ..Self::default() }
    }
}

impl ActiveRun {
    /// The token of the holder is omitted, since it permits changes under the lock.
    fn new(holder: &LockHolder, phase: &str) -> Self {
        let LockHolder { by, since, purpose, .. } = holder;
        Self { by: by.clone(), since: since.clone(), purpose: purpose.clone(), phase: phase.to_owned() }
    }
}

/// The record of a deploy in a manifest, without empty values.
pub(super) struct DeployRecord {
    pub(super) revision: Option<Revision>,
    pub(super) by: Option<Operator>,
    pub(super) at: Option<String>,
}

impl DeployRecord {
    pub(super) fn of(manifest: Option<&Manifest>) -> Self {
        // A live work tree records neither the user nor the time.
        let timed = manifest.filter(|manifest| !manifest.at.is_empty());
        Self {
            revision: manifest.map(|manifest| manifest.revision.clone()),
            by: timed.map(|manifest| manifest.by.clone()),
            at: timed.map(|manifest| manifest.at.clone()),
        }
    }
}

/// Returns the reason of a failed survey in one line.
pub(super) fn reason(error: Option<&Error>, outcome: &str) -> String {
    error.map_or_else(|| outcome.to_owned(), |error| error.message().to_owned())
}
