//! The header of an approval: the site and its environment, the live and the new release, and the
//! facts about the hosts, in two columns.

use std::time::SystemTime;

use fabrs::Connection;
use fabrs::config::Environment;

use crate::database::MigrationPlan;
use crate::deploy::approval::{PendingDeploy, bad_release_line, revision_of};
use crate::deploy::approval_rule::ApprovalRule;
use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::rollout_summary;
use crate::deploy::target::ReleaseOrigin;
use crate::gates::Watch;
use crate::release::{ReleaseId, Survey};
use crate::site::Site;

/// The column of the facts.
const FACT_COLUMN: usize = 21;

/// Returns the text of an approval: the header, the commits and the migrations. Ages and free space
/// change between two runs, so this text is no input of the fingerprint.
pub(super) fn with_header(
    hosts: &ConnectedSite,
    surveys: &Surveys,
    changes: &PendingDeploy,
    plan: Option<&MigrationPlan>,
    rules: &[ApprovalRule],
) -> String {
    let new = format!("{}{}", changes.summary, migration_count(plan));
    let migrations = plan.map(|plan| plan.text.as_str()).unwrap_or_default();
    let (target, gates) = (format!("new  {new}"), gate_names(&hosts.site));
    let facts = HeaderFacts { target, gates, rules, origin: ReleaseOrigin::ThisRun };
    format!("{}{}{migrations}", header(hosts, surveys, &facts), changes.commits)
}

/// Returns the text of the approval of a rollback. A rollback measures no gates, and no freeze
/// refuses it.
pub(super) fn of_rollback(
    hosts: &ConnectedSite,
    surveys: &Surveys,
    release: &ReleaseId,
    rules: &[ApprovalRule],
) -> String {
    let target = format!("to   {release} {}", revision_of(surveys, release));
    let facts = HeaderFacts { target, gates: String::new(), rules, origin: ReleaseOrigin::EarlierRun };
    format!("{}{}", header(hosts, surveys, &facts), bad_release_line(surveys, release))
}

/// The facts of a header in addition to the hosts.
struct HeaderFacts<'a> {
    /// The new release: `new  deployable-314 (abc1234), 3 commits`.
    target: String,
    gates: String,
    rules: &'a [ApprovalRule],
    origin: ReleaseOrigin,
}

/// Returns the names of all gates of a deploy.
fn gate_names(site: &Site) -> String {
    let canary = site.strategy.canary().map(|canary| &canary.watch);
    let watches = canary.into_iter().chain([&site.watch]).filter(|watch| !watch.gates.is_empty());
    watches.map(Watch::names).collect::<Vec<_>>().join(", ")
}

/// Returns the number of migrations, with the name of a single migration.
fn migration_count(plan: Option<&MigrationPlan>) -> String {
    match plan.and_then(|plan| plan.names.as_deref()) {
        None => String::new(),
        Some([]) => ", no migrations".to_owned(),
        Some([name]) => format!(", 1 migration ({name})"),
        Some(names) => format!(", {} migrations", names.len()),
    }
}

fn header(hosts: &ConnectedSite, surveys: &Surveys, facts: &HeaderFacts<'_>) -> String {
    let site = &hosts.site;
    let environment = hosts.client().inventory().environment().map(Environment::name);
    let title = match environment {
        Some(environment) => format!("{} on {environment}", site.application()),
        None => site.application().to_owned(),
    };
    let live = live_releases(hosts, surveys);
    let is_single = live.len() == 1;
    let mut labels = vec![title].into_iter();
    let mut text = String::new();
    for (DeployedRelease { name, origin }, on) in live {
        text += &row(&labels.next().unwrap_or_default(), &name);
        let on = Some(format!("on {}", on.join(", "))).filter(|_| !is_single);
        let details: Vec<String> = on.into_iter().chain(origin).collect();
        if !details.is_empty() {
            text += &row("", &format!("     {}", details.join(", ")));
        }
    }
    text += &row("", &facts.target);
    let repository = site.source.as_ref().map(|source| format!(" from {}", source.location())).unwrap_or_default();
    text += &row("  site", &format!("{}{repository}", site.root));
    let names: Vec<String> =
        hosts.group.connections().iter().filter_map(Connection::host).map(|host| hosts.label_with_root(host)).collect();
    text += &row(&format!("  {}", host_count(names.len())), &names.join(" "));
    if let Some(space) = hosts.least_free_space() {
        let least = if names.len() == 1 { "" } else { "at least " };
        text += &row("  preflight", &format!("{least}{space} free, repository reachable"));
    }
    if !facts.gates.is_empty() {
        text += &row("  gates", &facts.gates);
    }
    if let Some(order) = rollout_summary::summary(site, names.len(), facts.origin) {
        text += &row("  rollout", &order);
    }
    if let Some(balancer) = &site.balancer {
        text += &row("  balancer", &balancer.name());
    }
    for ApprovalRule { name, fact } in facts.rules {
        text += &row(&format!("  {name}"), fact);
    }
    text
}

fn host_count(count: usize) -> String {
    if count == 1 { "host".to_owned() } else { format!("{count} hosts") }
}

/// Returns a line with a label and a fact.
fn row(label: &str, fact: &str) -> String {
    let width = FACT_COLUMN - 1;
    let line = format!("{label:<width$} {}", fact.replace('\n', " "));
    format!("{}\n", line.trim_end())
}

/// A live release.
#[derive(Debug, PartialEq, Eq)]
struct DeployedRelease {
    /// The id and the revision, as text.
    name: String,
    /// The actor of its deploy, and its age.
    origin: Option<String>,
}

/// Returns each live release with its hosts.
fn live_releases(hosts: &ConnectedSite, surveys: &Surveys) -> Vec<(DeployedRelease, Vec<String>)> {
    let mut all: Vec<(DeployedRelease, Vec<String>)> = Vec::new();
    for host in hosts.group.connections().iter().filter_map(Connection::host) {
        let survey = surveys.get(host);
        let live = match (survey.and_then(Survey::live), survey.and_then(Survey::live_manifest)) {
            (_, Some(manifest)) => {
                let age = age(&manifest.at, SystemTime::now()).map(|age| format!(", {age}")).unwrap_or_default();
                let name = format!("live {} {}", manifest.release, manifest.revision);
                DeployedRelease { name, origin: Some(format!("by {}{age}", manifest.by)) }
            }
            (Some(release), None) => {
                DeployedRelease { name: format!("live {release}, from another tool"), origin: None }
            }
            (None, None) => DeployedRelease { name: "no live release".to_owned(), origin: None },
        };
        let name = host.label().to_string();
        match all.iter_mut().find(|(known, _)| *known == live) {
            Some((_, on)) => on.push(name),
            None => all.push((live, vec![name])),
        }
    }
    all
}

/// Returns the age of a time in RFC 3339: `5 min ago`, `yesterday`.
fn age(at: &str, now: SystemTime) -> Option<String> {
    let seconds = now.duration_since(humantime::parse_rfc3339(at).ok()?).unwrap_or_default().as_secs();
    Some(match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "yesterday".to_owned(),
        _ => format!("{} days ago", seconds / 86_400),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let at = "2026-12-01T08:15:00Z";
        let after = |seconds| {
            let now = humantime::parse_rfc3339(at).unwrap() + Duration::from_secs(seconds);
            age(at, now).unwrap()
        };
        assert_eq!(after(59), "just now");
        assert_eq!(after(3599), "59 min ago");
        assert_eq!(after(86_399), "23 h ago");
        assert_eq!(after(90_000), "yesterday");
        assert_eq!(after(864_000), "10 days ago");
        assert_eq!(age("unknown", SystemTime::now()), None);
    }

    #[test]
    fn a_fact_starts_in_its_column_and_is_one_line() {
        assert_eq!(row("shop on production", "no live release"), "shop on production   no live release\n");
        assert_eq!(row("", "new  a\nb"), "                     new  a b\n");
    }
}
