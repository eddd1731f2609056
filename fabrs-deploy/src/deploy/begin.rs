//! Decisions of a deploy before any change: the revision, the state of the hosts, and the release name.

use std::collections::{HashMap, HashSet};

use fabrs::config::{Confirmation, Environment};
use fabrs::event::Event;
use fabrs::{Error, ErrorKind, Host, TaskError};

use super::site_hosts::{SiteHosts, Surveys};
use crate::release::{CurrentLink, Manifest, ReleaseId, Survey};
use crate::run_id::{RunId, Who};
use crate::source::{Git, Revision};

/// A release before it is live, with the state of its hosts.
#[derive(Debug)]
pub(super) struct Coming {
    pub(super) release: ReleaseId,
    pub(super) revision: Revision,
    pub(super) made: Made,
    pub(super) by: Who,
    pub(super) run: RunId,
    pub(super) before: Surveys,
}

/// The time at which a release was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// In this run.
    Now,
    /// In an earlier run.
    Before,
}

impl Coming {
    /// Returns the log entry for the switch to this release.
    pub(super) fn log_line(&self) -> String {
        match self.made {
            Made::Now => format!("{} deployed as release {} by {}", self.revision, self.release, self.by),
            Made::Before => format!("{} rolled back to release {}", self.by, self.release),
        }
    }

    /// Returns the earlier state of a host.
    pub(super) fn before(&self, host: &fabrs::Connection) -> Option<&Survey> {
        self.before.get(host.host()?)
    }

    /// Returns the release that was live on a host before.
    pub(super) fn live(&self, host: &fabrs::Connection) -> Option<&ReleaseId> {
        self.before(host).and_then(Survey::live)
    }

    /// Returns the manifest of the release on a host.
    pub(super) fn manifest(&self, host: &fabrs::Connection) -> Manifest {
        let Self { release, revision, by, run, .. } = self;
        let manifest = Manifest::new(release.clone(), revision.clone(), by.clone(), run.clone());
        Manifest { previous: self.live(host).cloned(), ..manifest }
    }
}

/// Chooses the revision, once for all hosts. It only reads.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if the site has no source, the repository has no such revision, or the work tree has uncommitted
/// changes.
pub(super) async fn choose(
    fleet: &SiteHosts,
    surveys: &Surveys,
    asked: Option<&str>,
) -> Result<(Git, Revision), TaskError> {
    let Some(source) = fleet.site.source.clone() else {
        let error = Error::new(ErrorKind::Usage, "the site has no source");
        return Err(error.hint("say where it comes from: `.source(Git::at(..))`").into());
    };
    if let Some(secret) = source.secret() {
        fleet.client().redact(&secret);
    }
    let host = fleet.first()?;
    source.check_work_tree(host).await?;
    let revision = source.resolve(&fleet.hosts, asked, &bad_commits(surveys)).await?;
    // A run may contain several deploys, so `once` can't hold this value.
    let value = serde_json::Value::String(revision.to_string());
    fleet.client().sink().event(&Event::Once { name: "revision", value: &value });
    Ok((source, revision))
}

/// Returns the commits marked as bad on a host. Among several releases of one commit, the last one counts.
fn bad_commits(surveys: &Surveys) -> HashSet<&str> {
    let mut bad = HashSet::new();
    for survey in surveys.values() {
        let mut last: HashMap<&str, bool> = HashMap::new();
        // From the first to the last release.
        for found in survey.releases.values() {
            if let Some(manifest) = &found.manifest {
                last.insert(&manifest.revision.commit, found.bad.is_some());
            }
        }
        bad.extend(last.into_iter().filter(|(_, is_bad)| *is_bad).map(|(commit, _)| commit));
    }
    bad
}

/// Refuses a deploy if a host is not ready. Nothing has changed on any host at this point.
///
/// # Errors
///
/// [`ErrorKind::Task`] with every unready host and the reason.
pub(super) fn check(fleet: &SiteHosts, surveys: &Surveys) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for host in fleet.hosts.connections().iter().filter_map(fabrs::Connection::host) {
        let Some(survey) = surveys.get(host) else { continue };
        wrong.extend(survey.manual_lock.iter().map(|lock| (host, lock.to_string())));
        wrong.extend(survey.dirty.iter().map(|file| (host, format!("`{file}` was changed there, and would be lost"))));
        let (current, shared) = (survey.layout.current(), survey.layout.shared());
        match &survey.current {
            CurrentLink::NotALink => wrong.push((host, format!("`{current}` is no symlink, so it can't be switched"))),
            CurrentLink::Foreign(to) => wrong.push((host, format!("`{current}` leads to `{to}`, which is no release"))),
            CurrentLink::Missing | CurrentLink::Release(_) => {}
        }
        wrong.extend(survey.missing.iter().map(|file| (host, format!("`{shared}/{file}` is missing"))));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = wrong.iter().map(|(host, what)| format!("{}: {what}", Host::label(host))).collect();
    let error =
        Error::new(ErrorKind::Task, format!("nothing was changed, since a deploy would fail:\n{}", lines.join("\n")));
    let files = wrong.iter().any(|(_, what)| what.ends_with("is missing"));
    Err(if files { error.hint("linked files are the host's own: put them there once") } else { error })
}

/// Surveys all hosts again under the lock, since another run may have changed them. The approved state must still hold.
///
/// # Errors
///
/// [`ErrorKind::Prompt`] with the first host whose state has changed.
pub(super) async fn look_again(fleet: &SiteHosts, shown: &Surveys) -> Result<Surveys, Error> {
    let before = fleet.look().await?;
    let client = fleet.client();
    let is_protected = client.inventory().environment().is_some_and(Environment::is_protected);
    let was_looked_at = match client.settings().confirmation {
        Confirmation::Prompt => is_protected,
        Confirmation::AssumeYes => false,
        _ => true,
    };
    let moved =
        |(host, survey): &(&Host, &Survey)| shown.get(*host).is_some_and(|shown| shown.current != survey.current);
    if was_looked_at && let Some((host, _)) = before.iter().find(moved) {
        let error =
            Error::new(ErrorKind::Prompt, "another release went live since this was approved: nothing was changed");
        return Err(error.on(host).hint("look at what is pending again"));
    }
    Ok(before)
}

/// Decides, under the lock, on the name of the release.
///
/// # Errors
///
/// As [`look_again`] and [`check`].
pub(super) async fn decide(fleet: &SiteHosts, shown: &Surveys, revision: Revision) -> Result<Coming, TaskError> {
    let before = look_again(fleet, shown).await?;
    check(fleet, &before)?;
    let release = ReleaseId::after(before.values().flat_map(|survey| survey.releases.keys()));
    Ok(Coming { release, revision, made: Made::Now, by: Who::current(), run: RunId::new(), before })
}
