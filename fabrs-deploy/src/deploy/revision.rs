//! The choice of the revision to deploy, once for all hosts.

use std::collections::{HashMap, HashSet};

use fabrs::event::Event;
use fabrs::{Error, ErrorKind, TaskError};

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::source::{ChosenRevision, DeployedCommits, Git, Revision};

/// Chooses the revision to deploy: the given tag, branch or commit, or else the last good build.
/// All commands only read.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if the site has no source, if the repository has no such revision, or if
/// the work tree on this machine has uncommitted changes.
pub(super) async fn choose(
    hosts: &ConnectedSite,
    surveys: &Surveys,
    given: Option<&str>,
) -> Result<(Git, Revision), TaskError> {
    let Some(source) = hosts.site.source.clone() else {
        let error = Error::new(ErrorKind::Usage, "the site has no source");
        return Err(error.hint("add the repository to the site: `.source(Git::at(..))`").into());
    };
    if let Some(secret) = source.secret() {
        hosts.client().add_secret(&secret);
    }
    source.check_work_tree(hosts.first()?).await?;
    let live = surveys.values().filter_map(|survey| Some(survey.live_manifest()?.revision.commit.as_str())).collect();
    let deployed = DeployedCommits { bad: bad_commits(surveys), live };
    let ChosenRevision { revision, skipped } = source.resolve(&hosts.group, given, &deployed).await?;
    if !skipped.is_empty() {
        hosts.client().warn(None, format!("skipped later builds marked as bad: {}", skipped.join(", ")));
    }
    // `once` would keep one revision for the whole run, but a run may contain several deploys.
    let value = serde_json::Value::String(revision.to_string());
    hosts.client().sink().event(&Event::Once { name: "revision", value: &value });
    Ok((source, revision))
}

/// Returns the commits with a bad release on any host. If a host has several releases of a commit,
/// the last release counts.
fn bad_commits(surveys: &Surveys) -> HashSet<&str> {
    let mut bad = HashSet::new();
    for survey in surveys.values() {
        let mut last: HashMap<&str, bool> = HashMap::new();
        // The map of releases is ordered from the first to the last.
        for found in survey.releases.values() {
            if let Some(manifest) = &found.manifest {
                last.insert(&manifest.revision.commit, found.bad.is_some());
            }
        }
        bad.extend(last.into_iter().filter(|(_, is_bad)| *is_bad).map(|(commit, _)| commit));
    }
    bad
}
