//! The promotion of a held release: [`Promote`].

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use fabrs::{Error, ErrorKind, Group, TaskError};

use crate::deploy::approval_rule::ApprovalRule;
use crate::deploy::connected_site::{ConnectedSite, local_connection};
use crate::deploy::live_release::LiveRelease;
use crate::deploy::lock::LockWait;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::{ReleaseOrigin, TargetRelease};
use crate::deploy::transaction::{self, Operation};
use crate::deploy::unknown_migrations::{self, UnknownMigrationPolicy};
use crate::deploy::{
    approval, approval_header, deployment, freeze, hold, host_revert, lock, pipeline_stage, preflight, revert,
};
use crate::notify::DeployAction;
use crate::release::{ReleaseId, SiteKind};
use crate::run_id::{Operator, RunId};
use crate::site::Site;
use crate::source::Git;

impl Site {
    /// Makes the latest held release live. The returned builder starts when awaited.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Git, Site};
    ///
    /// fn shop() -> Site {
    ///     Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git"))
    /// }
    ///
    /// /// Builds the last good build on all hosts. It is not live yet.
    /// #[task(local, defer_approval)]
    /// async fn hold() -> Result {
    ///     shop().deploy(on(role("web"))?).hold().await?;
    ///     Ok(())
    /// }
    ///
    /// /// Makes the held release live.
    /// #[task(local, defer_approval)]
    /// async fn promote() -> Result {
    ///     shop().promote(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn promote(&self, hosts: Group) -> Promote {
        let (lock_wait, policy) = (LockWait::default(), UnknownMigrationPolicy::default());
        Promote { site: self.clone(), hosts, release: None, lock_wait, policy }
    }
}

/// A request to make a held release live, created by [`Site::promote`]. The promotion starts when
/// awaited.
///
/// The phases are the phases of a deploy after the build: once-only steps, batches with health
/// checks and gates, post-deploy steps. A failure reverts every switched host, and marks the
/// release as bad. After a stop of the run, the release is still held.
///
/// # Errors
///
/// - [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) if no release is held on all hosts, or if a
///   later release is live. Nothing was changed.
/// - As [`Deploy`](super::Deploy).
///
/// # Cancel safety
///
/// As [`Deploy`](super::Deploy).
#[derive(Debug, Clone)]
#[must_use = "a promotion starts when it is awaited"]
pub struct Promote {
    site: Site,
    hosts: Group,
    release: Option<ReleaseId>,
    lock_wait: LockWait,
    policy: UnknownMigrationPolicy,
}

impl Promote {
    /// Sets the held release. Defaults to the latest held release.
    ///
    /// ```
    /// use fabrs_deploy::{ReleaseId, Site};
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let release: ReleaseId = "20261103140211".parse()?;
    /// let promote = Site::new("/srv/shop").promote(web).release(release);
    /// assert!(format!("{promote:?}").contains("20261103140211"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn release(mut self, release: impl Into<Option<ReleaseId>>) -> Self {
        self.release = release.into();
        self
    }

    /// Waits while another run holds the lock (`true`), or fails at once (`false`). Defaults to the
    /// setting of the run (`--wait`).
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let promote = Site::new("/srv/shop").promote(web).wait(true);
    /// assert!(format!("{promote:?}").contains("Endless"));
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
    /// let promote = Site::new("/srv/shop").promote(web).wait_at_most(Duration::from_mins(5));
    /// assert!(format!("{promote:?}").contains("AtMost(300s)"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.lock_wait = LockWait::AtMost(limit);
        self
    }

    /// Allows migrations in the database unknown to the release. Defaults to `false`.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let promote = Site::new("/srv/shop").promote(web).allow_unknown_migrations(true);
    /// assert!(format!("{promote:?}").contains("Allow"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn allow_unknown_migrations(mut self, allow: bool) -> Self {
        self.policy = UnknownMigrationPolicy::from_flag(allow);
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
            let error = Error::new(ErrorKind::Usage, "a site deployed in place has no held releases");
            return Err(error.hint("remove `.in_place()` from the site").into());
        }
        let Some(source) = site.source.clone() else {
            let error = Error::new(ErrorKind::Usage, "the site has no source");
            return Err(error.hint("add the repository to the site: `.source(Git::at(..))`").into());
        };
        let (mut hosts, shown) = ConnectedSite::connect(site, hosts).await?;
        lock::check_free(&hosts, &shown, lock_wait)?;
        preflight::check_surveys(&hosts, &shown)?;
        preflight::check_steps(&hosts, &hosts.site.all_once_steps())?;
        let freeze = freeze::check(hosts.client())?;
        let release = hold::choose(&hosts, &shown, given.clone())?;
        let revision = approval::revision_of(&shown, &release);
        let stage = pipeline_stage::check(&hosts, &revision).await?;
        let changes = approval::pending_deploy(&hosts, &shown, &source, &revision).await?;
        let host_revert = host_revert::approval_rule(&hosts.site);
        let rules: Vec<ApprovalRule> = [freeze.rule, stage.rule, host_revert].into_iter().flatten().collect();
        let mut text = format!("held release {release}\n");
        let mut pending = format!("{text}{}{}", changes.text, ApprovalRule::lines(&rules));
        let plan = unknown_migrations::plan(&hosts, &shown, &source, &revision).await?;
        unknown_migrations::check_plan(&shown, plan.as_ref(), &revision, policy)?;
        text += &approval_header::with_header(&hosts, &shown, &changes, plan.as_ref(), &rules);
        if let Some(plan) = plan {
            pending += &plan.text;
            hosts.set_approved_migrations(plan);
        }
        hosts.client().approve_with_details(&pending, &text).await?;
        preflight::check_hosts(&hosts, &shown).await?;

        let purpose = format!("promotion of {revision}");
        let operation = Operation { kind: DeployAction::Promote, purpose, lock_wait };
        let prepare = async {
            let override_reason = freeze::reason_under_lock(hosts.client(), freeze.override_reason)?;
            let stage_override_reason =
                pipeline_stage::reason_under_lock(&hosts, &revision, stage.override_reason).await?;
            let before = preflight::survey_again(&hosts, &shown).await?;
            preflight::check_surveys(&hosts, &before)?;
            if hold::choose(&hosts, &before, Some(release.clone())).is_err() {
                let text = "another run changed the held release after the approval: this run changed nothing";
                return Err(Error::new(ErrorKind::Task, text).hint("review the pending changes again").into());
            }
            let (by, run) = (Operator::current(), RunId::new());
            let origin = ReleaseOrigin::Held;
            Ok(TargetRelease { release, revision, origin, by, run, override_reason, stage_override_reason, before })
        };
        let go_live = async |rollout: &Rollout<'_>| go_live(rollout, &source, policy).await;
        Box::pin(transaction::run(&hosts, operation, prepare, go_live)).await
    }
}

impl IntoFuture for Promote {
    type Output = Result<LiveRelease, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Makes the held release live on all hosts, or reverts the rollout.
async fn go_live(rollout: &Rollout<'_>, source: &Git, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    let live = async {
        rollout.logs.record_start(rollout.hosts).await?;
        deployment::make_release_live(rollout, policy).await
    };
    if let Err(error) = live.await {
        return Err(revert::revert(rollout, error.into_error()).await.into());
    }
    deployment::finish_live(rollout, source).await
}
