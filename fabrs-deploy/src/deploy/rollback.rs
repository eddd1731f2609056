//! The rollback to an earlier release: [`Rollback`] and the choice of the release.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Group, TaskError};

use crate::deploy::approval::{pending_rollback, revision_of};
use crate::deploy::approval_rule::ApprovalRule;
use crate::deploy::connected_site::{ConnectedSite, Surveys, local_connection};
use crate::deploy::live_release::LiveRelease;
use crate::deploy::lock::LockWait;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::{ReleaseOrigin, TargetRelease};
use crate::deploy::transaction::{self, Operation};
use crate::deploy::unknown_migrations::{self, UnknownMigrationPolicy};
use crate::deploy::{approval_header, bad_mark, batches, freeze, host_revert, lock, preflight, revert};
use crate::notify::DeployAction;
use crate::release::{ReleaseId, SiteKind, Survey};
use crate::run_id::{Operator, RunId};
use crate::site::Site;
use crate::step::LiveApp;

impl Site {
    /// Rolls the hosts of a group back to an earlier release present on all of them. The returned
    /// builder starts when awaited.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{ReleaseId, Site};
    ///
    /// /// Rolls back to the previous release, or to the given release.
    /// #[task(local, defer_approval)]
    /// async fn rollback(release: Option<ReleaseId>) -> Result {
    ///     Site::new("/srv/shop").rollback(on(role("web"))?).to(release).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn rollback(&self, hosts: Group) -> Rollback {
        let (lock_wait, policy) = (LockWait::default(), UnknownMigrationPolicy::default());
        Rollback { site: self.clone(), hosts, release: None, lock_wait, policy }
    }
}

/// A rollback request, created by [`Site::rollback`]. The rollback starts when awaited.
///
/// The hosts are switched to one release, restarted and checked in the same order as in a deploy
/// ([`Site::rolling`], [`Site::batches`], [`Site::window`]). The previously live release is then
/// marked as bad, if it is later than the chosen release.
///
/// Without [`to`](Self::to), the rollback chooses the last release before the live release. This
/// release must have passed its health check on every host, must not be marked as bad, and must
/// have a different commit than the live release. Each further rollback returns to a still earlier
/// release.
///
/// For a [`BlueGreen`](crate::BlueGreen) site, the idle side still runs the last release. The
/// rollback checks the side and switches the balancer back. An older release is started on the idle
/// side first.
///
/// # Errors
///
/// - [`ErrorKind::Usage`] if no such release exists. For a given release, the error names the hosts
///   without the release. Nothing was changed.
/// - As [`Deploy`](super::Deploy).
///
/// # Cancel safety
///
/// As [`Deploy`](super::Deploy).
#[derive(Debug, Clone)]
#[must_use = "a rollback starts when it is awaited"]
pub struct Rollback {
    site: Site,
    hosts: Group,
    release: Option<ReleaseId>,
    lock_wait: LockWait,
    policy: UnknownMigrationPolicy,
}

impl Rollback {
    /// Sets the release to return to. The release must exist on every host, and may be marked as
    /// bad.
    ///
    /// ```
    /// use fabrs_deploy::{ReleaseId, Site};
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let release: ReleaseId = "20261103140211".parse()?;
    /// let rollback = Site::new("/srv/shop").rollback(web).to(release);
    /// assert!(format!("{rollback:?}").contains("20261103140211"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn to(mut self, release: impl Into<Option<ReleaseId>>) -> Self {
        self.release = release.into();
        self
    }

    /// Sets whether the rollback continues if the database has migrations unknown to the older
    /// release. Defaults to `false`. `true` also skips the steps of [`Site::rollback_check`].
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let rollback = Site::new("/srv/shop").rollback(web).allow_unknown_migrations(true);
    /// assert!(format!("{rollback:?}").contains("Allow"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn allow_unknown_migrations(mut self, allow: bool) -> Self {
        self.policy = UnknownMigrationPolicy::from_flag(allow);
        self
    }

    /// Lets the rollback wait while another run holds the lock. Defaults to the setting of
    /// the run (`--wait`).
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let rollback = Site::new("/srv/shop").rollback(web).wait(true);
    /// assert!(format!("{rollback:?}").contains("Endless"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn wait(mut self, waits: bool) -> Self {
        self.lock_wait = LockWait::from_flag(waits);
        self
    }

    /// Waits up to `limit` while another run holds the lock.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let rollback = Site::new("/srv/shop").rollback(web).wait_at_most(Duration::from_mins(5));
    /// assert!(format!("{rollback:?}").contains("AtMost(300s)"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.lock_wait = LockWait::AtMost(limit);
        self
    }

    async fn run(self) -> Result<LiveRelease, TaskError> {
        let here = local_connection(&self.hosts)?;
        here.enter(Box::pin(self.run_phases())).await
    }

    /// Runs all phases. The free functions (`run`, `local`) use this machine.
    async fn run_phases(self) -> Result<LiveRelease, TaskError> {
        let Self { site, hosts, release: given, lock_wait, policy } = self;
        if site.kind == SiteKind::InPlace {
            let error = Error::new(ErrorKind::Usage, "a site deployed in place has no releases to roll back to");
            return Err(error.hint("deploy the earlier build by its tag").into());
        }
        let (hosts, shown) = ConnectedSite::connect(site, hosts).await?;
        lock::check_free(&hosts, &shown, lock_wait)?;
        preflight::check_surveys(&hosts, &shown)?;
        let is_checked = policy == UnknownMigrationPolicy::Refuse;
        let once_steps = if is_checked { vec![&hosts.site.rollback_checks] } else { Vec::new() };
        preflight::check_steps(&hosts, &once_steps)?;
        let release = choose_rollback_release(&hosts, &shown, given.clone())?;
        freeze::note_for_rollback(hosts.client());
        let rules: Vec<ApprovalRule> = host_revert::approval_rule(&hosts.site).into_iter().collect();
        let pending = pending_rollback(&hosts, &shown, &release) + &ApprovalRule::lines(&rules);
        let text = approval_header::of_rollback(&hosts, &shown, &release, &rules);
        hosts.client().approve_with_details(&pending, &text).await?;
        preflight::check_hosts(&hosts, &shown).await?;

        let purpose = format!("rollback to {release}");
        let operation = Operation { kind: DeployAction::Rollback, purpose, lock_wait };
        let prepare = async {
            let before = preflight::survey_again(&hosts, &shown).await?;
            if choose_rollback_release(&hosts, &before, given)? != release {
                let error = Error::new(
                    ErrorKind::Task,
                    "another run changed the releases after the approval: this run changed nothing",
                );
                return Err(error.hint("check the live release, and run the rollback again").into());
            }
            if is_checked {
                unknown_migrations::check_release(&hosts, &before, &release).await?;
                hosts.run_once(&[&hosts.site.rollback_checks], &release, LiveApp::None).await?;
            }
            let revision = revision_of(&before, &release);
            let (by, run) = (Operator::current(), RunId::new());
            Ok(TargetRelease {
                release,
                revision,
                origin: ReleaseOrigin::EarlierRun,
                by,
                run,
                override_reason: None,
                stage_override_reason: None,
                before,
            })
        };
        Box::pin(transaction::run(&hosts, operation, prepare, async |rollout| go_live(rollout).await)).await
    }
}

impl IntoFuture for Rollback {
    type Output = Result<LiveRelease, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Makes the target release live on all hosts and marks the replaced releases as bad, or reverts
/// the rollout.
async fn go_live(rollout: &Rollout<'_>) -> Result<(), TaskError> {
    let live = async {
        rollout.logs.record_start(rollout.hosts).await?;
        batches::roll_out(rollout, async { Ok(()) }).await?;
        host_revert::confirm(rollout).await?;
        rollout.promote()?;
        Ok::<(), TaskError>(())
    };
    if let Err(error) = live.await {
        return Err(revert::revert(rollout, error.into_error()).await.into());
    }
    rollout.note_live();
    let phase = rollout.hosts.phase("finish", rollout.hosts.group.connections());
    bad_mark::mark_replaced(rollout).await;
    phase.done("");
    Ok(())
}

/// Chooses the release to return to: the given release, or the last good release before the live
/// release, present on all hosts.
fn choose_rollback_release(
    hosts: &ConnectedSite,
    surveys: &Surveys,
    given: Option<ReleaseId>,
) -> Result<ReleaseId, Error> {
    let has = |survey: &Survey, id: &ReleaseId| survey.releases.get(id).is_some_and(|found| !found.is_unfinished);
    if let Some(given) = given {
        let all = hosts.group.connections().iter().filter_map(Connection::host);
        let without: Vec<String> = all
            .filter(|host| !surveys.get(*host).is_some_and(|survey| has(survey, &given)))
            .map(|host| host.label().to_string())
            .collect();
        if without.is_empty() {
            return Ok(given);
        }
        let error = Error::new(ErrorKind::Usage, format!("release {given} does not exist on {}", without.join(", ")));
        return Err(error
            .hint("list the releases of each host (`Site::releases`) and choose a release that exists on all hosts"));
    }
    let live: BTreeSet<&ReleaseId> = surveys.values().filter_map(Survey::live).collect();
    let Some(latest) = live.last() else { return Err(Error::new(ErrorKind::Usage, "no release is live yet")) };
    let all: BTreeSet<&ReleaseId> = surveys.values().flat_map(|survey| survey.releases.keys()).collect();
    let is_good = |id: &ReleaseId| {
        surveys.values().all(|survey| {
            has(survey, id) && survey.releases.get(id).is_some_and(|found| found.bad.is_none() && found.is_verified)
        })
    };
    // Another release of the same commit would not change the live code.
    let is_other = |id: &ReleaseId| revision_of(surveys, id).commit != revision_of(surveys, latest).commit;
    let before = all.into_iter().rev().find(|id| id < latest && is_good(id) && is_other(id));
    before.cloned().ok_or_else(|| {
        let text = if surveys.values().flat_map(|survey| survey.releases.keys()).any(|id| id < latest && is_good(id)) {
            format!("all good releases before {latest} have the same commit, {}", revision_of(surveys, latest))
        } else {
            format!("no release before {latest} is good and exists on all hosts")
        };
        Error::new(ErrorKind::Usage, text)
            .hint("list the releases (`Site::releases`), or deploy an earlier build by its tag")
    })
}

#[cfg(test)]
mod tests {
    use fabrs::Client;
    use fabrs::transport::Fake;

    use super::*;
    use crate::release::{BadMark, CurrentLink, FoundRelease, Manifest};
    use crate::source::Revision;

    fn id(last: u32) -> ReleaseId {
        format!("202611031402{last:02}").parse().unwrap()
    }

    /// Returns the survey of a host. Each release has a commit of its own.
    fn survey(releases: &[u32], bad: &[u32], live: u32) -> Survey {
        let found = |last: &u32| {
            let revision = Revision::new(last.to_string(), "t");
            let manifest = Manifest::new(id(*last), revision, Operator::unknown(), RunId::default());
            let bad = bad.contains(last).then(|| BadMark::new(Operator::unknown(), "it was slow"));
            (id(*last), FoundRelease { manifest: Some(manifest), bad, is_verified: true, ..FoundRelease::default() })
        };
        Survey {
            current: CurrentLink::Release(id(live)),
            releases: releases.iter().map(found).collect(),
            ..Survey::default()
        }
    }

    /// Chooses a release for two hosts.
    fn choose_rollback_release_for(web1: Survey, web2: Survey, given: Option<u32>) -> Result<ReleaseId, Error> {
        let client = Client::builder().dial(Fake::new()).build();
        let group = Group::of(&client, ["web1", "web2"]).unwrap();
        let names: Vec<_> = group.connections().iter().map(|host| host.host().unwrap().clone()).collect();
        let hosts = ConnectedSite::without_survey(Site::new("/srv/shop"), group, client);
        choose_rollback_release(&hosts, &names.into_iter().zip([web1, web2]).collect(), given.map(id))
    }

    #[test]
    fn the_last_earlier_release_on_all_hosts_is_chosen() {
        let chosen = choose_rollback_release_for(survey(&[1, 2, 3, 5], &[], 5), survey(&[1, 2, 4, 5], &[], 5), None);
        assert_eq!(chosen.unwrap(), id(2));
    }

    #[test]
    fn a_release_that_is_bad_on_any_host_is_skipped() {
        assert_eq!(
            choose_rollback_release_for(survey(&[1, 2, 3], &[2], 3), survey(&[1, 2, 3], &[], 3), None).unwrap(),
            id(1)
        );
        let error = choose_rollback_release_for(survey(&[2, 3], &[2], 3), survey(&[2, 3], &[], 3), None).unwrap_err();
        assert!(error.to_string().contains("no release before"), "{error}");
    }

    #[test]
    fn a_release_of_the_live_commit_is_skipped() {
        let same = |mut survey: Survey| {
            for found in survey.releases.values_mut().rev().take(2) {
                found.manifest.as_mut().unwrap().revision.commit = "same".to_owned();
            }
            survey
        };
        let web = || same(survey(&[1, 2, 3], &[], 3));
        assert_eq!(choose_rollback_release_for(web(), web(), None).unwrap(), id(1));
    }

    #[test]
    fn the_choice_precedes_the_latest_live_release_if_hosts_differ() {
        assert_eq!(
            choose_rollback_release_for(survey(&[1, 2, 3], &[], 3), survey(&[1, 2, 3], &[], 2), None).unwrap(),
            id(2)
        );
    }

    #[test]
    fn a_given_release_must_exist_on_every_host_and_may_be_bad_or_later() {
        assert_eq!(
            choose_rollback_release_for(survey(&[1, 2, 3], &[1], 2), survey(&[1, 2, 3], &[], 2), Some(1)).unwrap(),
            id(1)
        );
        assert_eq!(
            choose_rollback_release_for(survey(&[1, 2, 3], &[], 2), survey(&[1, 2, 3], &[], 2), Some(3)).unwrap(),
            id(3)
        );
        let error = choose_rollback_release_for(survey(&[1, 2], &[], 2), survey(&[2], &[], 2), Some(1)).unwrap_err();
        assert_eq!(error.to_string(), "release 20261103140201 does not exist on web2");
    }
}
