//! Going back to a release that is on the hosts already.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Group, TaskError};

use super::begin::{self, Coming, Made};
use super::journey::journey;
use super::locked::LockWait;
use super::site_hosts::{SiteHosts, Surveys};
use super::state::{MigrationGuard, guard_release};
use super::{LiveRelease, back, precheck, publish};
use crate::notify::DeployAction;
use crate::overview::{table, text};
use crate::release::{ReleaseId, SiteKind, Survey};
use crate::run_id::{RunId, Who};
use crate::site::Site;
use crate::source::Revision;
use crate::step::LiveApp;

/// A rollback that begins when it is awaited: it switches all hosts to one release that they all have, has their services
/// take it up, and marks what was live as bad.
///
/// Without a name it is the last release before what is live that every host was seen to work with, that is not marked as bad,
/// and that is another build: hosts may have different histories, and each time it is said again it goes one further back.
///
/// # Errors
///
/// [`ErrorKind::Usage`] where there is no such release, with what each host lacks; as a [`Deploy`](super::Deploy).
///
/// # Cancel safety
///
/// As a [`Deploy`](super::Deploy).
#[derive(Debug, Clone)]
#[must_use = "nothing goes back until it is awaited"]
pub struct Rollback {
    site: Site,
    hosts: Group,
    asked: Option<ReleaseId>,
    lock_wait: LockWait,
    if_ahead: MigrationGuard,
}

impl Rollback {
    pub(crate) fn new(site: Site, hosts: Group) -> Self {
        Self { site, hosts, asked: None, lock_wait: LockWait::default(), if_ahead: MigrationGuard::default() }
    }

    /// Goes back to this release.
    pub fn to(mut self, release: impl Into<Option<ReleaseId>>) -> Self {
        self.asked = release.into();
        self
    }

    /// Allows a rollback although the database has migrations unknown to the older release. Also skips the steps of
    /// [`Site::rollback_check`]. Off by default.
    pub fn allow_unknown_migrations(mut self, goes_on: bool) -> Self {
        self.if_ahead = MigrationGuard::of(goes_on);
        self
    }

    /// Sets whether it waits while another run has the site locked. Defaults to the setting of the run (`--wait`).
    pub fn wait(mut self, waits: bool) -> Self {
        self.lock_wait = LockWait::of(waits);
        self
    }

    /// Waits at most so long while another run has the site locked.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.lock_wait = LockWait::AtMost(limit);
        self
    }

    async fn run(self) -> Result<LiveRelease, TaskError> {
        let here = super::here(&self.hosts)?;
        here.enter(Box::pin(self.carry_out())).await
    }

    async fn carry_out(self) -> Result<LiveRelease, TaskError> {
        let Self { site, hosts, asked, lock_wait, if_ahead } = self;
        if site.kind == SiteKind::InPlace {
            let error = Error::new(ErrorKind::Usage, "there are no releases of a site that is deployed in place");
            return Err(error.hint("deploy the build of before by its tag").into());
        }
        let (fleet, shown) = SiteHosts::connect(site, hosts).await?;
        begin::check(&fleet, &shown)?;
        let guarded = if if_ahead == MigrationGuard::Refuse { vec![&fleet.site.rollback_checks] } else { Vec::new() };
        precheck::check_steps(&fleet, &guarded)?;
        let release = choose(&fleet, &shown, asked.clone())?;
        fleet.client().approve(&pending(&fleet, &shown, &release)).await?;
        precheck::check_hosts(&fleet).await?;
        let what = format!("rollback to {release}");
        let decide = async {
            let before = begin::look_again(&fleet, &shown).await?;
            if choose(&fleet, &before, asked)? != release {
                let error = Error::new(ErrorKind::Task, "another run has been here meanwhile, so nothing was changed");
                return Err(error.hint("look at what is live, and say it again").into());
            }
            if if_ahead == MigrationGuard::Refuse {
                guard_release(&fleet, &before, &release).await?;
                fleet.run_once(&fleet.site.rollback_checks, &release, LiveApp::None).await?;
            }
            let revision = revision(&before, &release);
            Ok(Coming { release, revision, made: Made::Before, by: Who::current(), run: RunId::new(), before })
        };
        journey(&fleet, DeployAction::Rollback, &what, lock_wait, decide, async |coming| changes(&fleet, coming).await)
            .await
    }
}

/// Makes all changes, in their order, or takes back those that were made.
async fn changes(fleet: &SiteHosts, coming: &Coming) -> Result<(), TaskError> {
    if let Err(error) = publish::publish(fleet, coming).await {
        return Err(back::take_back(fleet, coming, error.into_error()).await.into());
    }
    fleet.standing.settle();
    fleet.say_live(coming);
    back::mark_left(fleet, coming).await;
    Ok(())
}

impl IntoFuture for Rollback {
    type Output = Result<LiveRelease, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Returns what a rollback would change, as a person is shown it before it is approved.
fn pending(fleet: &SiteHosts, surveys: &Surveys, release: &ReleaseId) -> String {
    let mut rows = table(["host", "live", "going back to"]);
    for host in fleet.hosts.connections().iter().filter_map(Connection::host) {
        let live = surveys.get(host).and_then(Survey::live);
        let live = live.map_or_else(|| "nothing".to_owned(), |live| format!("{live} {}", revision(surveys, live)));
        rows.add_row([fleet.label_with_root(host), live, format!("{release} {}", revision(surveys, release))]);
    }
    let bad = surveys.values().find_map(|survey| survey.releases.get(release)?.bad.as_ref());
    let bad = bad.map(|bad| format!("{release} is marked as bad: {}\n", bad.reason)).unwrap_or_default();
    text(&rows) + &bad
}

/// Returns what a release was made from, as any host knows it.
fn revision(surveys: &Surveys, release: &ReleaseId) -> Revision {
    let known = surveys.values().find_map(|survey| survey.releases.get(release)?.manifest.as_ref());
    // What another tool has made says it in other ways.
    known.map_or_else(|| Revision::new("unknown", "unknown"), |manifest| manifest.revision.clone())
}

/// Chooses the release to go back to: the one that was asked for, or the last before what is live that all hosts have.
fn choose(fleet: &SiteHosts, surveys: &Surveys, asked: Option<ReleaseId>) -> Result<ReleaseId, Error> {
    let has = |survey: &Survey, id: &ReleaseId| survey.releases.get(id).is_some_and(|found| !found.is_unfinished);
    if let Some(asked) = asked {
        let without = fleet.hosts.connections().iter().filter_map(Connection::host);
        let without: Vec<String> = without
            .filter(|host| !surveys.get(*host).is_some_and(|survey| has(survey, &asked)))
            .map(|host| host.label().to_string())
            .collect();
        if without.is_empty() {
            return Ok(asked);
        }
        let error = Error::new(ErrorKind::Usage, format!("there is no release {asked} on {}", without.join(", ")));
        return Err(error.hint("the list of releases says what each host has"));
    }
    let live: BTreeSet<&ReleaseId> = surveys.values().filter_map(Survey::live).collect();
    let Some(latest) = live.last() else { return Err(Error::new(ErrorKind::Usage, "nothing is live yet")) };
    let all: BTreeSet<&ReleaseId> = surveys.values().flat_map(|survey| survey.releases.keys()).collect();
    let is_good = |id: &ReleaseId| {
        surveys.values().all(|survey| {
            has(survey, id) && survey.releases.get(id).is_some_and(|found| found.bad.is_none() && found.is_verified)
        })
    };
    // The same build again would be no way back.
    let is_other = |id: &ReleaseId| revision(surveys, id).commit != revision(surveys, latest).commit;
    let before = all.into_iter().rev().find(|id| id < latest && is_good(id) && is_other(id));
    before.cloned().ok_or_else(|| {
        let error = Error::new(ErrorKind::Usage, format!("no release before {latest} is good and on all hosts"));
        error.hint("the list of releases says what each host has; a deploy makes any build live again, by its tag")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{BadMark, CurrentLink, FoundRelease, Manifest};
    use fabrs::{Client, transport::Fake};

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    fn survey(releases: &[u32], bad: &[u32], live: u32) -> Survey {
        let found = |last: &u32| {
            let manifest =
                Manifest::new(id(*last), Revision::new(last.to_string(), "t"), Who::unknown(), RunId::default());
            let bad = bad.contains(last).then(|| BadMark::new(Who::unknown(), "it was slow"));
            (id(*last), FoundRelease { manifest: Some(manifest), bad, is_verified: true, ..FoundRelease::default() })
        };
        Survey {
            current: CurrentLink::Release(id(live)),
            releases: releases.iter().map(found).collect(),
            ..Survey::default()
        }
    }

    /// Chooses for two hosts.
    fn chosen(one: Survey, other: Survey, asked: Option<u32>) -> Result<ReleaseId, Error> {
        let client = Client::builder().dial(Fake::new()).build();
        let hosts = Group::of(&client, ["web1", "web2"]).unwrap();
        let names: Vec<_> = hosts.connections().iter().map(|host| host.host().unwrap().clone()).collect();
        let fleet = SiteHosts::of(Site::new("/srv/shop"), hosts, client);
        choose(&fleet, &names.into_iter().zip([one, other]).collect(), asked.map(id))
    }

    #[test]
    fn it_is_the_last_one_before_that_all_hosts_have() {
        let histories = chosen(survey(&[1, 2, 3, 5], &[], 5), survey(&[1, 2, 4, 5], &[], 5), None);
        assert_eq!(histories.unwrap(), id(2));
    }

    #[test]
    fn what_is_bad_on_any_host_is_skipped() {
        assert_eq!(chosen(survey(&[1, 2, 3], &[2], 3), survey(&[1, 2, 3], &[], 3), None).unwrap(), id(1));
        let none = chosen(survey(&[2, 3], &[2], 3), survey(&[2, 3], &[], 3), None).unwrap_err();
        assert!(none.to_string().contains("no release before"), "{none}");
    }

    #[test]
    fn the_same_build_again_is_no_way_back() {
        let same = |mut survey: Survey| {
            for found in survey.releases.values_mut().rev().take(2) {
                found.manifest.as_mut().unwrap().revision.commit = "same".to_owned();
            }
            survey
        };
        let one = || same(survey(&[1, 2, 3], &[], 3));
        assert_eq!(chosen(one(), one(), None).unwrap(), id(1));
    }

    #[test]
    fn hosts_that_are_out_of_step_meet_on_what_is_before_the_later_one() {
        assert_eq!(chosen(survey(&[1, 2, 3], &[], 3), survey(&[1, 2, 3], &[], 2), None).unwrap(), id(2));
    }

    #[test]
    fn a_release_that_was_asked_for_must_be_on_every_host_and_may_be_bad_or_later() {
        assert_eq!(chosen(survey(&[1, 2, 3], &[1], 2), survey(&[1, 2, 3], &[], 2), Some(1)).unwrap(), id(1));
        assert_eq!(chosen(survey(&[1, 2, 3], &[], 2), survey(&[1, 2, 3], &[], 2), Some(3)).unwrap(), id(3));
        let error = chosen(survey(&[1, 2], &[], 2), survey(&[2], &[], 2), Some(1)).unwrap_err();
        assert_eq!(error.to_string(), "there is no release 20261103140201 on web2");
    }
}
