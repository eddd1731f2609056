//! The deploy of a build: [`Deploy`] and the order of its phases.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use fabrs::{Error, ErrorKind, Group, TaskError};

use crate::deploy::approval_rule::ApprovalRule;
use crate::deploy::connected_site::{ConnectedSite, Surveys, local_connection};
use crate::deploy::hold::HeldRelease;
use crate::deploy::live_release::LiveRelease;
use crate::deploy::lock::LockWait;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::{ReleaseOrigin, TargetRelease};
use crate::deploy::transaction::{self, Operation};
use crate::deploy::unknown_migrations::{self, UnknownMigrationPolicy};
use crate::deploy::{
    approval, approval_header, batches, build, finish, freeze, hold, host_revert, lock, pipeline_stage, preflight,
    revert, revision, work_tree,
};
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
///   lock, or during a freeze window of the environment without an override (see
///   [`Settings::override_freeze`](fabrs::config::Settings::override_freeze)). Nothing was
///   changed.
/// - [`ErrorKind::Task`](fabrs::ErrorKind::Task) if the commit has not passed the earlier stages of
///   the pipeline ([`Site::stage`]). Nothing was changed.
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

/// The goal of a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeployGoal {
    /// The release is live on all hosts.
    Live,
    /// The release is built on all hosts, and live on none.
    Held,
}

impl DeployGoal {
    /// Returns the first line of the approval.
    fn approval_line(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Held => "build and hold, without a switch:\n",
        }
    }
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
        here.enter(Box::pin(self.run_phases(DeployGoal::Live))).await
    }

    /// Builds the release on all hosts, and makes it live on none. [`Site::promote`] makes the held
    /// release live, and [`Site::abort`] removes it.
    ///
    /// A freeze window refuses the promotion, not the build. Once-only steps and migrations
    /// run with the promotion.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Git, Site};
    ///
    /// /// Builds the last good build on all hosts.
    /// #[task(local, defer_approval)]
    /// async fn hold() -> Result {
    ///     let site = Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git"));
    ///     site.deploy(on(role("web"))?).hold().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Deploy`]. [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) for a site deployed in place.
    ///
    /// # Cancel safety
    ///
    /// As [`Deploy`].
    pub async fn hold(self) -> Result<HeldRelease, TaskError> {
        if self.site.kind == SiteKind::InPlace {
            let error = Error::new(ErrorKind::Usage, "a site deployed in place cannot hold a release");
            return Err(error.hint("remove `.in_place()` from the site").into());
        }
        let here = local_connection(&self.hosts)?;
        let LiveRelease { release, revision } = here.enter(Box::pin(self.run_phases(DeployGoal::Held))).await?;
        Ok(HeldRelease { release, revision })
    }

    /// Runs all phases. The free functions (`run`, `local`) use this machine.
    async fn run_phases(self, goal: DeployGoal) -> Result<LiveRelease, TaskError> {
        let Self { site, hosts, revision, lock_wait, policy } = self;
        let (mut hosts, shown) = ConnectedSite::connect(site, hosts).await?;
        lock::check_free(&hosts, &shown, lock_wait)?;
        preflight::check_surveys(&hosts, &shown)?;
        preflight::check_steps(&hosts, &hosts.site.all_once_steps())?;
        preflight::check_readiness(&mut hosts, &shown).await?;
        let freeze = match goal {
            DeployGoal::Live => freeze::check(hosts.client())?,
            DeployGoal::Held => freeze::FreezeCheck::default(),
        };
        let (source, revision) = revision::choose(&hosts, &shown, revision.as_deref()).await?;
        let stage = pipeline_stage::check(&hosts, &revision).await?;
        let changes = approval::pending_deploy(&hosts, &shown, &source, &revision).await?;
        let host_revert = match goal {
            DeployGoal::Live => host_revert::approval_rule(&hosts.site),
            DeployGoal::Held => None,
        };
        let rules: Vec<ApprovalRule> = [freeze.rule, stage.rule, host_revert].into_iter().flatten().collect();
        let mut pending = format!("{}{}{}", goal.approval_line(), changes.text, ApprovalRule::lines(&rules));
        let plan = unknown_migrations::plan(&hosts, &shown, &source, &revision).await?;
        unknown_migrations::check_plan(&shown, plan.as_ref(), &revision, policy)?;
        let mut text = goal.approval_line().to_owned();
        text += &approval_header::with_header(&hosts, &shown, &changes, plan.as_ref(), &rules);
        if let Some(plan) = plan {
            pending += &plan.text;
            hosts.set_approved_migrations(plan);
        }
        hosts.client().approve_with_details(&pending, &text).await?;
        preflight::check_hosts(&hosts, &shown).await?;

        let (kind, purpose) = match goal {
            DeployGoal::Live => (DeployAction::Deploy, format!("deploy of {revision}")),
            DeployGoal::Held => (DeployAction::Hold, format!("build of {revision}")),
        };
        let operation = Operation { kind, purpose, lock_wait };
        let overrides = ApprovedOverrides { freeze: freeze.override_reason, stages: stage.override_reason };
        let prepare = prepare(&hosts, &shown, revision, goal, overrides);
        let reach_goal = async |rollout: &Rollout<'_>| match goal {
            DeployGoal::Live => go_live(rollout, &source, policy).await,
            DeployGoal::Held => build_and_hold(rollout, &source, policy).await,
        };
        Box::pin(transaction::run(&hosts, operation, prepare, reach_goal)).await
    }
}

impl IntoFuture for Deploy {
    type Output = Result<LiveRelease, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The override reasons of an approval.
#[derive(Debug, Default)]
struct ApprovedOverrides {
    freeze: Option<String>,
    stages: Option<String>,
}

/// Repeats the checks under the lock, and creates the id of the new release.
async fn prepare(
    hosts: &ConnectedSite,
    shown: &Surveys,
    revision: Revision,
    goal: DeployGoal,
    approved: ApprovedOverrides,
) -> Result<TargetRelease, TaskError> {
    let override_reason = match goal {
        DeployGoal::Live => freeze::reason_under_lock(hosts.client(), approved.freeze)?,
        DeployGoal::Held => None,
    };
    let stage_override_reason = pipeline_stage::reason_under_lock(hosts, &revision, approved.stages).await?;
    let before = preflight::survey_again(hosts, shown).await?;
    preflight::check_surveys(hosts, &before)?;
    let release = ReleaseId::after(before.values().flat_map(|survey| survey.releases.keys()));
    let (by, run) = (Operator::current(), RunId::new());
    let origin = ReleaseOrigin::ThisRun;
    Ok(TargetRelease { release, revision, origin, by, run, override_reason, stage_override_reason, before })
}

/// Makes the target release live on all hosts and finishes the deploy, or reverts the rollout.
async fn go_live(rollout: &Rollout<'_>, source: &Git, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    if let Err(error) = roll_out(rollout, source, policy).await {
        return Err(revert::revert(rollout, error.into_error()).await.into());
    }
    finish_live(rollout, source).await
}

/// Reports the live release, and runs the last phase.
///
/// # Errors
///
/// As [`finish::finish`].
pub(super) async fn finish_live(rollout: &Rollout<'_>, source: &Git) -> Result<(), TaskError> {
    rollout.note_live();
    finish::finish(rollout, source).await
}

/// Builds the release on all hosts and marks it as held, or removes it.
async fn build_and_hold(rollout: &Rollout<'_>, source: &Git, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    let held = async {
        build::build(rollout, source).await?;
        unknown_migrations::check_build(rollout, policy).await?;
        hold::mark(rollout).await
    };
    match held.await {
        Ok(()) => Ok(()),
        Err(error) => Err(revert::revert(rollout, error.into_error()).await.into()),
    }
}

/// Makes a built release live: once-only steps, then all batches.
///
/// # Errors
///
/// The first error of a step. The caller reverts the rollout.
pub(super) async fn make_release_live(rollout: &Rollout<'_>, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    let live = rollout.hosts.live_app(&rollout.target.before)?;
    run_once_steps(rollout, policy, live).await?;
    batches::roll_out(rollout, async { Ok(()) }).await?;
    host_revert::confirm(rollout).await?;
    rollout.promote()?;
    Ok(())
}

async fn roll_out(rollout: &Rollout<'_>, source: &Git, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    let target = &rollout.target;
    rollout.logs.record_start(rollout.hosts).await?;
    match rollout.hosts.site.kind {
        SiteKind::Releases => {
            build::build(rollout, source).await?;
            make_release_live(rollout, policy).await
        }
        SiteKind::InPlace => {
            work_tree::fetch(rollout, source).await?;
            // The switch of the first batch replaces the live code. After the switch, the old code
            // can't be queried.
            let live = if target.had_live_release() { LiveApp::Replaced } else { LiveApp::None };
            batches::roll_out(rollout, run_once_steps(rollout, policy, live)).await?;
            rollout.promote()?;
            Ok(())
        }
    }
}

/// Checks the migrations of the build, then runs the once-only steps.
async fn run_once_steps(rollout: &Rollout<'_>, policy: UnknownMigrationPolicy, live: LiveApp) -> Result<(), TaskError> {
    let hosts = rollout.hosts;
    if !hosts.has_once_phase() {
        return Ok(());
    }
    let name = if hosts.site.database.is_some() { "migrate" } else { "once" };
    let phase = hosts.phase(name, &hosts.once_connections()?);
    unknown_migrations::check_build(rollout, policy).await?;
    rollout.set_phase(name);
    let snapshot = hosts.run_once(&hosts.site.once_steps(), &rollout.target.release, live).await?;
    if let (Some(snapshot), SiteKind::Releases) = (&snapshot, hosts.site.kind) {
        build::record_snapshot(rollout, snapshot).await;
    }
    phase.done(snapshot.map(|snapshot| format!("snapshot {}", snapshot.file)).unwrap_or_default());
    Ok(())
}
