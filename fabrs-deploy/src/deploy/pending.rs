//! The pending changes of a deploy, as text for the approval.

use std::collections::BTreeMap;

use fabrs::Error;

use super::site_hosts::{SiteHosts, Surveys};
use crate::overview::{table, text};
use crate::release::FoundRelease;
use crate::source::{CommitChanges, Git, Revision};

/// Returns the pending changes as text: the live and the new revision of each host, then the commits between them. It only
/// reads. Equal changes have equal texts.
///
/// # Errors
///
/// As any command.
pub(super) async fn pending(
    fleet: &SiteHosts,
    surveys: &Surveys,
    source: &Git,
    revision: &Revision,
) -> Result<String, Error> {
    let mut rows = table(["host", "live", "coming"]);
    // The live revisions by commit.
    let mut live: BTreeMap<&str, &Revision> = BTreeMap::new();
    for host in fleet.hosts.connections().iter().filter_map(fabrs::Connection::host) {
        let manifest = surveys.get(host).and_then(|survey| survey.live_manifest());
        let is = match (manifest, surveys.get(host).and_then(|survey| survey.live())) {
            (Some(manifest), _) => manifest.revision.to_string(),
            (None, Some(release)) => format!("{release}, of another tool"),
            (None, None) => "nothing".to_owned(),
        };
        if let Some(manifest) = manifest {
            live.insert(&manifest.revision.commit, &manifest.revision);
        }
        rows.add_row([fleet.label_with_root(host), is, revision.to_string()]);
    }
    let mut shown = format!("{} from {}\n{}", fleet.site.root, source.location(), text(&rows));
    let same = |found: &&FoundRelease| {
        found.manifest.as_ref().is_some_and(|manifest| manifest.revision.commit == revision.commit)
    };
    // Of several releases of the commit on a host, the last counts.
    let last = surveys.values().filter_map(|survey| survey.releases.values().rfind(same));
    if let Some(bad) = last.into_iter().find_map(|found| found.bad.as_ref()) {
        shown = format!("{shown}it was deployed before, and marked as bad at {}: {}\n", bad.at, bad.reason);
    }
    let host = fleet.first()?;
    for (commit, old) in live {
        if commit == revision.commit {
            shown = format!("{shown}commits since {old}: none\n");
            continue;
        }
        let changes = source.changes(host, fleet.layouts.of(host)?, commit, &revision.commit).await?;
        shown.push_str(&since(old, changes.as_ref()));
    }
    Ok(shown)
}

fn since(old: &Revision, changes: Option<&CommitChanges>) -> String {
    let Some(changes) = changes else {
        return format!("commits since {old}: not known here; a clone of the repository that has them shows them\n");
    };
    let mut lines = vec![format!("commits since {old}:")];
    lines.extend(changes.lines());
    if !changes.migrations.is_empty() {
        lines.push("migrations:".to_owned());
        lines.extend(changes.migrations.iter().map(|file| format!("  {file}")));
    }
    lines.join("\n") + "\n"
}
