//! The deploy of a build: [`Deploy`] and the order of its phases.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use fabrs::{Group, TaskError};

use crate::deploy::connected_site::{ConnectedSite, Surveys, local_connection};
use crate::deploy::live_release::LiveRelease;
use crate::deploy::lock::LockWait;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::{ReleaseOrigin, TargetRelease};
use crate::deploy::transaction::{self, Operation};
use crate::deploy::unknown_migrations::{self, UnknownMigrationPolicy};
use crate::deploy::{approval, batches, build, finish, freeze, preflight, revert, revision, work_tree};
use crate::notify::DeployAction;
use crate::release::{ReleaseId, SiteKind};
use crate::run_id::{Operator, RunId};
use crate::site::Site;
use crate::source::{Git, Revision};
use crate::step::LiveApp;

impl Site {
    /// Deploys a build to the hosts of a group. The returned builder starts when awaited.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Git, Site};
    ///
    /// /// Deploys the last good build, or the given tag, branch or commit.
    /// #[task(local, defer_approval)]
    /// async fn deploy(revision: Option<String>) -> Result {
    ///     let site = Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git"));
    ///     site.deploy(on(role("web"))?).revision(revision).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn deploy(&self, hosts: Group) -> Deploy {
        let (lock_wait, policy) = (LockWait::default(), UnknownMigrationPolicy::default());
        Deploy { site: self.clone(), hosts, revision: None, lock_wait, policy }
    }
}

/// A deploy request, created by [`Site::deploy`]. The deploy starts when awaited.
///
/// All hosts are locked, and the release is built on each host in a separate directory. Then the
/// hosts are switched, restarted and checked: all at once, in batches ([`Site::rolling`],
/// [`Site::batches`]), or in a sliding window ([`Site::window`]). A failure before the end of the
/// last health check reverts every switched host. Hosts of later batches stay unchanged.
///
/// # Errors
///
/// - [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) if the repository has no such revision. Nothing
///   was changed.
/// - [`ErrorKind::Task`](fabrs::ErrorKind::Task) if a host is not ready, if another run holds the
///   lock, or during a freeze window of the environment without an override
///   ([`Settings::override_freeze`](fabrs::config::Settings::override_freeze)). Nothing was changed.
/// - The error of the first failed step. The state of each host is then printed as a table.
///
/// # Cancel safety
///
/// A stop of the run (Ctrl-C, [`Client::stop`](fabrs::Client::stop)) reverts the deploy like a
/// failure. Dropping the future reverts nothing, but releases the lock.
#[derive(Debug, Clone)]
#[must_use = "a deploy starts when it is awaited"]
pub struct Deploy {
    site: Site,
    hosts: Group,
    revision: Option<String>,
    lock_wait: LockWait,
    policy: UnknownMigrationPolicy,
}

impl Deploy {
    /// Sets the tag, branch or commit to deploy. Defaults to the last good build.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let deploy = Site::new("/srv/shop").deploy(web).revision("deployable-314".to_owned());
    /// assert!(format!("{deploy:?}").contains("deployable-314"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn revision(mut self, revision: impl Into<Option<String>>) -> Self {
        self.revision = revision.into();
        self
    }

    /// Sets whether the deploy waits while another run holds the lock. Defaults to the setting of
    /// the run (`--wait`).
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let deploy = Site::new("/srv/shop").deploy(web).wait(true);
    /// assert!(format!("{deploy:?}").contains("Endless"));
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
    /// let deploy = Site::new("/srv/shop").deploy(web).wait_at_most(Duration::from_mins(5));
    /// assert!(format!("{deploy:?}").contains("AtMost(300s)"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.lock_wait = LockWait::AtMost(limit);
        self
    }

    /// Sets whether the deploy continues if the database has migrations unknown to the build.
    /// Defaults to `false`, since the build may not work with this database.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// # let client = fabrs::Client::builder().dial(fabrs::transport::Fake::new()).build();
    /// # let web = fabrs::Group::of(&client, ["web1"])?;
    /// let deploy = Site::new("/srv/shop").deploy(web).allow_unknown_migrations(true);
    /// assert!(format!("{deploy:?}").contains("Allow"));
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
        let Self { site, hosts, revision, lock_wait, policy } = self;
        let (mut hosts, shown) = ConnectedSite::connect(site, hosts).await?;
        preflight::check_surveys(&hosts, &shown)?;
        preflight::check_steps(&hosts, &hosts.site.all_once_steps())?;
        preflight::check_readiness(&mut hosts, &shown).await?;
        let freeze = freeze::check(hosts.client())?;
        let (source, revision) = revision::choose(&hosts, &shown, revision.as_deref()).await?;
        let mut pending = approval::pending_deploy(&hosts, &shown, &source, &revision).await?;
        pending += &freeze.approval_line;
        let plan = unknown_migrations::plan(&hosts, &shown, &source, &revision).await?;
        unknown_migrations::check_plan(&shown, plan.as_ref(), &revision, policy)?;
        if let Some(plan) = plan {
            pending += &plan.text;
            hosts.set_approved_migrations(plan);
        }
        hosts.client().approve(&pending).await?;
        preflight::check_hosts(&hosts).await?;

        let purpose = format!("deploy of {revision}");
        let operation = Operation { kind: DeployAction::Deploy, purpose, lock_wait };
        let prepare = prepare(&hosts, &shown, revision, freeze.override_reason);
        Box::pin(transaction::run(&hosts, operation, prepare, async |rollout| go_live(rollout, &source, policy).await))
            .await
    }
}

impl IntoFuture for Deploy {
    type Output = Result<LiveRelease, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Repeats the checks under the lock, and creates the id of the new release.
async fn prepare(
    hosts: &ConnectedSite,
    shown: &Surveys,
    revision: Revision,
    approved_override: Option<String>,
) -> Result<TargetRelease, TaskError> {
    // A freeze may have begun during the approval, or during the wait for the lock.
    let override_reason = match approved_override {
        Some(reason) => Some(reason),
        None => freeze::check_again(hosts.client())?,
    };
    let before = preflight::survey_again(hosts, shown).await?;
    preflight::check_surveys(hosts, &before)?;
    let release = ReleaseId::after(before.values().flat_map(|survey| survey.releases.keys()));
    let (by, run) = (Operator::current(), RunId::new());
    Ok(TargetRelease { release, revision, origin: ReleaseOrigin::ThisRun, by, run, override_reason, before })
}

/// Makes the target release live on all hosts and finishes the deploy, or reverts the rollout.
async fn go_live(rollout: &Rollout<'_>, source: &Git, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    if let Err(error) = roll_out(rollout, source, policy).await {
        return Err(revert::revert(rollout, error.into_error()).await.into());
    }
    rollout.note_live();
    finish::finish(rollout, source).await
}

async fn roll_out(rollout: &Rollout<'_>, source: &Git, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    let target = &rollout.target;
    rollout.logs.record_start(rollout.hosts).await?;
    match rollout.hosts.site.kind {
        SiteKind::Releases => {
            build::build(rollout, source).await?;
            let live = rollout.hosts.live_app(&target.before)?;
            run_once_steps(rollout, policy, live).await?;
            batches::roll_out(rollout, async { Ok(()) }).await?;
        }
        SiteKind::InPlace => {
            work_tree::fetch(rollout, source).await?;
            // The switch of the first batch replaces the live code. After the switch, the old code
            // can't be queried.
            let live = if target.had_live_release() { LiveApp::Replaced } else { LiveApp::None };
            batches::roll_out(rollout, run_once_steps(rollout, policy, live)).await?;
        }
    }
    rollout.promote()?;
    Ok(())
}

/// Checks the migrations of the build, then runs the once-only steps.
async fn run_once_steps(rollout: &Rollout<'_>, policy: UnknownMigrationPolicy, live: LiveApp) -> Result<(), TaskError> {
    unknown_migrations::check_build(rollout, policy).await?;
    rollout.set_phase("once");
    let snapshot = rollout.hosts.run_once(&rollout.hosts.site.once_steps(), &rollout.target.release, live).await?;
    if let (Some(snapshot), SiteKind::Releases) = (snapshot, rollout.hosts.site.kind) {
        build::record_snapshot(rollout, &snapshot).await;
    }
    Ok(())
}
