//! A deploy: built on every host, switched on all at once, taken up batch by batch, or taken back.

mod back;
mod begin;
mod build;
mod finish;
mod in_place;
mod journey;
mod locked;
mod news;
mod pending;
mod precheck;
mod publish;
mod rollback;
mod site_hosts;
mod standing;
mod state;

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Group, TaskError};

use crate::notify::DeployAction;
use crate::release::{ReleaseId, SiteKind};
use crate::site::Site;
use crate::source::{Git, Revision};

use begin::Coming;
use journey::journey;
use locked::LockWait;
use state::MigrationGuard;

pub use rollback::Rollback;

pub(crate) use site_hosts::{SiteHosts, Surveys, look};
pub(crate) use state::ahead_of_live;

/// A deploy that begins when it is awaited.
///
/// On each host: look, lock, fetch and build the release in a folder of its own. When it is built on all of them, switch
/// all in one step, then have the services take it up and see that they work, batch by batch. Where anything fails after the
/// switch, every host goes back to the release that it had.
///
/// # Errors
///
/// Those of the first host that failed; which hosts are on which release then is noted beside the work. [`ErrorKind::Usage`]
/// where the repository has no such revision, [`ErrorKind::Task`] where a host is not ready, or locked by another run: then
/// nothing was changed.
///
/// # Cancel safety
///
/// A run that is stopped (Ctrl-C, [`Client::stop`](fabrs::Client::stop)) is taken back as one that fails. Dropping the future
/// takes nothing back; the lock is let go all the same.
#[derive(Debug, Clone)]
#[must_use = "nothing is deployed until it is awaited"]
pub struct Deploy {
    site: Site,
    hosts: Group,
    asked: Option<String>,
    lock_wait: LockWait,
    if_ahead: MigrationGuard,
}

/// What is live after a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveRelease {
    /// The release.
    pub release: ReleaseId,
    /// What it was made from.
    pub revision: Revision,
}

impl Deploy {
    pub(crate) fn new(site: Site, hosts: Group) -> Self {
        Self { site, hosts, asked: None, lock_wait: LockWait::default(), if_ahead: MigrationGuard::default() }
    }

    /// Deploys this tag, branch or commit; without one, the last good build.
    pub fn revision(mut self, asked: impl Into<Option<String>>) -> Self {
        self.asked = asked.into();
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

    /// Allows a deploy although the database has migrations unknown to the build. Off by default: the build may not work with
    /// this database.
    pub fn allow_unknown_migrations(mut self, goes_on: bool) -> Self {
        self.if_ahead = MigrationGuard::of(goes_on);
        self
    }

    async fn run(self) -> Result<LiveRelease, TaskError> {
        let here = here(&self.hosts)?;
        here.enter(Box::pin(self.carry_out())).await
    }

    /// Does everything, with this machine as the one that the free functions mean.
    async fn carry_out(self) -> Result<LiveRelease, TaskError> {
        let Self { site, hosts, asked, lock_wait, if_ahead } = self;
        let (fleet, shown) = SiteHosts::connect(site, hosts).await?;
        begin::check(&fleet, &shown)?;
        precheck::check_steps(&fleet, &[&fleet.site.once, &fleet.site.post_deploy])?;
        let (source, revision) = begin::choose(&fleet, &shown, asked.as_deref()).await?;
        let mut pending = pending::pending(&fleet, &shown, &source, &revision).await?;
        let plan = state::plan(&fleet, &shown, &source, &revision).await?;
        state::check_plan(&shown, plan.as_ref(), &revision, if_ahead)?;
        if let Some(plan) = plan {
            pending += &plan.text;
            fleet.set_approved(plan);
        }
        fleet.client().approve(&pending).await?;
        precheck::check_hosts(&fleet).await?;
        let what = format!("deploy of {revision}");
        let decide = begin::decide(&fleet, &shown, revision);
        let changes = async |coming: &Coming| changes(&fleet, coming, &source, if_ahead).await;
        journey(&fleet, DeployAction::Deploy, &what, lock_wait, decide, changes).await
    }
}

/// Returns this machine, from which is done what is no command, and what is done once for all hosts.
fn here(hosts: &Group) -> Result<Connection, Error> {
    match hosts.connections().first().and_then(Connection::client) {
        Some(client) => client.local(),
        None => Err(Error::new(ErrorKind::NoHost, "there is no host")),
    }
}

/// Makes all changes, in their order, or takes back those that were made.
async fn changes(fleet: &SiteHosts, coming: &Coming, source: &Git, if_ahead: MigrationGuard) -> Result<(), TaskError> {
    match fleet.site.kind {
        SiteKind::Releases => released(fleet, coming, source, if_ahead).await?,
        SiteKind::InPlace => in_place::changes(fleet, coming, source, if_ahead).await?,
    }
    fleet.standing.settle();
    fleet.say_live(coming);
    finish::finish(fleet, coming, source).await
}

/// Makes a release and puts it live on all hosts.
async fn released(fleet: &SiteHosts, coming: &Coming, source: &Git, if_ahead: MigrationGuard) -> Result<(), TaskError> {
    if let Err(error) = made(fleet, coming, source, if_ahead).await {
        back::remove(fleet, coming).await;
        fleet.client().note(None, "no host was switched to the new release");
        return Err(error);
    }
    if let Err(error) = publish::publish(fleet, coming).await {
        return Err(back::take_back(fleet, coming, error.into_error()).await.into());
    }
    Ok(())
}

/// Takes back what was made of a deploy that was cut off, wherever it stands.
async fn take_back(fleet: &SiteHosts, coming: &Coming, error: Error) -> Error {
    match fleet.site.kind {
        SiteKind::Releases => back::take_back(fleet, coming, error).await,
        SiteKind::InPlace => in_place::take_back(fleet, coming, error).await,
    }
}

/// Builds the release everywhere, then does what is done once before it goes live.
async fn made(fleet: &SiteHosts, coming: &Coming, source: &Git, if_ahead: MigrationGuard) -> Result<(), TaskError> {
    build::build(fleet, coming, source).await?;
    state::guard_build(fleet, coming, if_ahead).await?;
    fleet.phase("once");
    fleet.run_once(&fleet.site.once, &coming.release, fleet.live(&coming.before)?).await
}

impl IntoFuture for Deploy {
    type Output = Result<LiveRelease, TaskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
