//! The pending changes of a deploy or a rollback, as text for the approval.

use std::collections::BTreeMap;

use fabrs::{Connection, Error};

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::release::{FoundRelease, ReleaseId, Survey};
use crate::site::Site;
use crate::source::{CommitChanges, Git, Revision};
use crate::table::{render, table};

/// The pending changes of a deploy.
#[derive(Debug)]
pub(super) struct PendingDeploy {
    /// All changes, for the fingerprint. Equal changes have equal texts.
    pub(super) text: String,
    /// The new commits, with warnings.
    pub(super) commits: String,
    /// The new revision and the number of its commits: `deployable-314 (abc1234), 3 commits`.
    pub(super) summary: String,
}

/// Returns the pending changes of a deploy: the live and the new revision of each host, then the
/// commits between them.
///
/// # Errors
///
/// The errors of the git commands, which only read.
pub(super) async fn pending_deploy(
    hosts: &ConnectedSite,
    surveys: &Surveys,
    source: &Git,
    revision: &Revision,
) -> Result<PendingDeploy, Error> {
    let mut rows = table(["host", "live", "new"]);
    // The live revisions by commit.
    let mut live: BTreeMap<&str, &Revision> = BTreeMap::new();
    for host in hosts.group.connections().iter().filter_map(Connection::host) {
        let survey = surveys.get(host);
        let manifest = survey.and_then(Survey::live_manifest);
        let live_name = match (manifest, survey.and_then(Survey::live)) {
            (Some(manifest), _) => manifest.revision.to_string(),
            (None, Some(release)) => format!("{release}, from another tool"),
            (None, None) => "nothing".to_owned(),
        };
        if let Some(manifest) = manifest {
            live.insert(&manifest.revision.commit, &manifest.revision);
        }
        rows.add_row([hosts.label_with_root(host), live_name, revision.to_string()]);
    }
    let headline = format!("{}{}", headline(&hosts.site, source), render(&rows));
    let mut text = String::new();
    let mut counts = Vec::new();
    let is_same = |found: &&FoundRelease| {
        found.manifest.as_ref().is_some_and(|manifest| manifest.revision.commit == revision.commit)
    };
    // If a host has several releases of the commit, the last release counts.
    let last = surveys.values().filter_map(|survey| survey.releases.values().rfind(is_same));
    if let Some(bad) = last.into_iter().find_map(|found| found.bad.as_ref()) {
        text = format!("{text}this build was deployed before and marked as bad at {}: {}\n", bad.at, bad.reason);
    }
    let host = hosts.first()?;
    for (commit, old) in live {
        if commit == revision.commit {
            text = format!("{text}commits since {old}: none\n");
            counts.push(", no new commits".to_owned());
            continue;
        }
        let changes = source.changes(host, hosts.layouts.of(host)?, commit, &revision.commit).await?;
        counts.push(commit_count(changes.as_ref()));
        text.push_str(&commits_since(old, changes.as_ref()));
        text.push_str(&many_commits_warning(&hosts.site, old, changes.as_ref()));
    }
    // The number of commits differs between hosts with different live revisions.
    let count = if let [count] = counts.as_slice() { count.as_str() } else { "" };
    Ok(PendingDeploy { text: headline + &text, summary: format!("{revision}{count}"), commits: text })
}

fn commit_count(changes: Option<&CommitChanges>) -> String {
    match changes.map(|changes| changes.added_count) {
        None => String::new(),
        Some(1) => ", 1 commit".to_owned(),
        Some(count) => format!(", {count} commits"),
    }
}

/// Returns the first line: the application, its root directory, and the repository.
fn headline(site: &Site, source: &Git) -> String {
    format!("{}: {} from {}\n", site.application(), site.root, source.location())
}

fn commits_since(old: &Revision, changes: Option<&CommitChanges>) -> String {
    let Some(changes) = changes else {
        return format!("commits since {old}: unknown (run `fab` in a clone of the repository to list the commits)\n");
    };
    let mut lines = vec![format!("commits since {old}:")];
    lines.extend(changes.lines());
    if !changes.migrations.is_empty() {
        lines.push("migrations:".to_owned());
        lines.extend(changes.migrations.iter().map(|file| format!("  {file}")));
    }
    lines.join("\n") + "\n"
}

/// Returns a warning for more new commits than the limit of the site, or else an empty text.
fn many_commits_warning(site: &Site, old: &Revision, changes: Option<&CommitChanges>) -> String {
    let limit = site.max_commits_without_warning;
    match changes {
        Some(changes) if changes.added_count > limit => {
            format!("warning: {} commits since {old}, more than {limit}\n", changes.added_count)
        }
        _ => String::new(),
    }
}

/// Returns the pending changes of a rollback: the live release of each host and the release to
/// return to.
pub(super) fn pending_rollback(hosts: &ConnectedSite, surveys: &Surveys, release: &ReleaseId) -> String {
    let name = |id: &ReleaseId| format!("{id} {}", revision_of(surveys, id));
    let mut rows = table(["host", "live", "rollback to"]);
    for host in hosts.group.connections().iter().filter_map(Connection::host) {
        let live = surveys.get(host).and_then(Survey::live);
        let live = live.map_or_else(|| "nothing".to_owned(), &name);
        rows.add_row([hosts.label_with_root(host), live, name(release)]);
    }
    let bad = bad_release_line(surveys, release);
    format!("{}: {}\n{}{bad}", hosts.site.application(), hosts.site.root, render(&rows))
}

/// Returns a line about a release marked as bad, or else an empty text.
pub(super) fn bad_release_line(surveys: &Surveys, release: &ReleaseId) -> String {
    let bad = surveys.values().find_map(|survey| survey.releases.get(release)?.bad.as_ref());
    bad.map(|bad| format!("{release} is marked as bad: {}\n", bad.reason)).unwrap_or_default()
}

/// Returns the revision of a release, from the first manifest found on any host. Releases of other
/// tools have no manifest.
pub(super) fn revision_of(surveys: &Surveys, release: &ReleaseId) -> Revision {
    let manifest = surveys.values().find_map(|survey| survey.releases.get(release)?.manifest.as_ref());
    manifest.map_or_else(|| Revision::new("unknown", "unknown"), |manifest| manifest.revision.clone())
}
