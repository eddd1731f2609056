//! [`ReleaseList`]: all releases of a site with their hosts, revisions and marks.

use std::collections::BTreeSet;

use fabrs::Host;
use fabrs::config::Operator;
use serde::Serialize;

use crate::deploy::LiveMigrations;
use crate::overview::site_status::DeployRecord;
use crate::release::{BadMark, FoundRelease, HeldMark, ReleaseId, Survey};
use crate::source::Revision;

/// The releases of a site: the result of [`Site::read_releases`](crate::Site::read_releases).
///
/// The JSON of [`Site::releases_json`](crate::Site::releases_json) has the names of these fields as
/// keys. An absent value is `null`. New versions may add keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReleaseList {
    /// The directory of the site, as passed to [`Site::new`](crate::Site::new).
    pub site: String,
    /// The reachable hosts of the group, in its order.
    pub hosts: Vec<String>,
    /// The unreachable hosts. Their releases are not listed.
    pub unreachable: Vec<String>,
    /// The releases, the latest first.
    pub releases: Vec<ListedRelease>,
    /// The check of the migrations of each live release. Empty without a database.
    pub migrations: Vec<LiveMigrations>,
}

/// A release on some hosts of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListedRelease {
    /// The id: 14 zeros for a live work tree.
    pub release: ReleaseId,
    /// The revision. `None` for a release of another tool.
    pub revision: Option<Revision>,
    /// The user and machine of the deploy. `None` for a live work tree.
    pub by: Option<Operator>,
    /// The time of the build: RFC 3339, UTC. `None` for a live work tree.
    pub at: Option<String>,
    /// The reason for its deploy during a freeze window.
    pub override_reason: Option<String>,
    /// The reason for its deploy without the earlier stages of a pipeline.
    pub stage_override_reason: Option<String>,
    /// The hosts with the release.
    pub hosts: Vec<String>,
    /// The hosts with the release as the live release.
    pub live_on: Vec<String>,
    /// The hosts with a complete release that have not passed their health checks with it.
    pub unverified_on: Vec<String>,
    /// The hosts with this release that revert by themselves unless the release is confirmed.
    pub unconfirmed_on: Vec<String>,
    /// `true` if the build of the release has not finished on a host.
    pub is_unfinished: bool,
    /// The mark of a held release: built, and live only after its promotion.
    pub held: Option<HeldMark>,
    /// The bad mark of the release.
    pub bad: Option<BadMark>,
}

impl ReleaseList {
    /// Composes the releases of hosts in their order.
    pub(super) fn new(
        site: &str,
        surveys: &[(&Host, Result<&Survey, String>)],
        migrations: Vec<LiveMigrations>,
    ) -> Self {
        let name = |host: &Host| host.label().to_string();
        let known: Vec<(&Host, &Survey)> =
            surveys.iter().filter_map(|(host, survey)| Some((*host, *survey.as_ref().ok()?))).collect();
        let ids: BTreeSet<&ReleaseId> = known.iter().flat_map(|(_, survey)| survey.releases.keys()).collect();
        Self {
            site: site.to_owned(),
            hosts: known.iter().map(|(host, _)| name(host)).collect(),
            unreachable: surveys.iter().filter(|(_, survey)| survey.is_err()).map(|(host, _)| name(host)).collect(),
            releases: ids.into_iter().rev().map(|id| ListedRelease::new(id, &known)).collect(),
            migrations,
        }
    }
}

impl ListedRelease {
    fn new(id: &ReleaseId, surveys: &[(&Host, &Survey)]) -> Self {
        let with: Vec<(&Host, &Survey, &FoundRelease)> =
            surveys.iter().filter_map(|(host, survey)| Some((*host, *survey, survey.releases.get(id)?))).collect();
        let hosts = |is_selected: &dyn Fn(&Survey, &FoundRelease) -> bool| {
            let selected = with.iter().filter(|(_, survey, found)| is_selected(survey, found));
            selected.map(|(host, ..)| host.label().to_string()).collect::<Vec<_>>()
        };
        let found = || with.iter().map(|(.., found)| *found);
        let manifest = found().find_map(|found| found.manifest.as_ref().or(found.planned_manifest.as_ref()));
        let DeployRecord { revision, by, at } = DeployRecord::of(manifest);
        Self {
            release: id.clone(),
            revision,
            by,
            at,
            override_reason: manifest.and_then(|manifest| manifest.override_reason.clone()),
            stage_override_reason: manifest.and_then(|manifest| manifest.stage_override_reason.clone()),
            hosts: hosts(&|_, _| true),
            live_on: hosts(&|survey, _| survey.live() == Some(id)),
            unverified_on: hosts(&|_, found| found.manifest.is_some() && !found.is_verified),
            unconfirmed_on: hosts(&|survey, _| {
                survey.host_revert.as_ref().is_some_and(|revert| revert.is_unconfirmed() && revert.release == *id)
            }),
            is_unfinished: found().any(|found| found.is_unfinished),
            held: found().find_map(|found| found.held.clone()),
            bad: found().find_map(|found| found.bad.clone()),
        }
    }
}
