//! The steps of a deploy: the [`DeployStep`] trait, and its argument [`App`].

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::{Connection, Error, TaskError, TaskReturn};

use crate::database::snapshot::Snapshot;
use crate::release::id::ReleaseId;
use crate::release::side::BlueGreenSide;
use crate::restart_command::{RestartCommand, RestartUser};
use crate::scope::Scope;

/// One release of the application on one host: the argument of a step.
///
/// Within a step, the free functions use the host of the step. `run(..)` and `v_run(..)` start in
/// the directory of the release. `v_run(..)` also uses the virtualenv of the release (`env`).
#[derive(Debug, Clone)]
pub struct App {
    connection: Connection,
    /// The host, without the directory and the virtualenv.
    host: Connection,
    root: String,
    release_dir: String,
    release: ReleaseId,
    migrations: Arc<Mutex<Vec<String>>>,
    snapshot: Arc<Mutex<Option<Snapshot>>>,
    /// The migrations approved before the build, if they were known then.
    approved: Option<Arc<ApprovedMigrations>>,
    /// The live release of the site, for a once-only step.
    live: LiveApp,
    /// The side of a blue-green site, with its port.
    side: Option<(BlueGreenSide, u16)>,
}

/// The migrations approved before the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApprovedMigrations {
    /// The full names.
    pub(crate) names: Vec<String>,
    /// The text of the approval, with warnings.
    pub(crate) text: String,
}

/// The live code of a site during a once-only step.
#[derive(Debug, Clone, Default)]
pub(crate) enum LiveApp {
    /// No release is live.
    #[default]
    None,
    /// A release on one host.
    Release(Box<App>),
    /// The live code was replaced in its work tree and cannot be queried.
    Replaced,
}

impl App {
    pub(crate) fn new(host: &Connection, root: &str, release_dir: String, release: ReleaseId) -> Self {
        let connection = host.cd(&release_dir).venv(format!("{release_dir}/env"));
        let (migrations, snapshot) = (Arc::default(), Arc::default());
        Self {
            connection,
            host: host.clone(),
            root: root.to_owned(),
            release_dir,
            release,
            migrations,
            snapshot,
            approved: None,
            live: LiveApp::None,
            side: None,
        }
    }

    /// Returns the connection of the step. Its commands start in the directory of the release.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the connection without the directory and the virtualenv of the release.
    pub(crate) fn host(&self) -> &Connection {
        &self.host
    }

    /// Returns the root directory of the site, with `current` and `shared`.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the directory of the release.
    pub fn release_dir(&self) -> &str {
        &self.release_dir
    }

    /// Returns the id of the release.
    pub fn release(&self) -> &ReleaseId {
        &self.release
    }

    /// Returns the new side of a [`BlueGreen`](crate::BlueGreen) site.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{App, Site};
    ///
    /// let site = Site::new("/srv/shop").restart(|app: App| {
    ///     let side = app.side().map_or("blue", |side| side.as_str());
    ///     run(cmd!("supervisorctl restart shop-{side}"))
    /// });
    /// # drop(site);
    /// ```
    pub fn side(&self) -> Option<BlueGreenSide> {
        self.side.map(|(side, _)| side)
    }

    /// Returns the port of the new side of a [`BlueGreen`](crate::BlueGreen) site.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{App, Site};
    ///
    /// let site = Site::new("/srv/shop").health(|app: App| {
    ///     let port = app.port().unwrap_or(8000);
    ///     probe(cmd!("curl -fsS http://127.0.0.1:{port}/health"))
    /// });
    /// # drop(site);
    /// ```
    pub fn port(&self) -> Option<u16> {
        self.side.map(|(_, port)| port)
    }

    /// Sets the side of a blue-green site.
    pub(crate) fn with_side(self, side: Option<(BlueGreenSide, u16)>) -> Self {
        Self { side, ..self }
    }

    /// Replaces `{side}` and `{port}` in a text. Other sites have no such placeholders.
    pub(crate) fn fill_side(&self, text: &str) -> String {
        match self.side {
            Some((side, port)) => text.replace("{side}", side.as_str()).replace("{port}", &port.to_string()),
            None => text.to_owned(),
        }
    }

    /// Records a database snapshot made by this step. Reports name the snapshot and its restore
    /// command if the live release later lacks migrations of the database.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{App, Snapshot};
    ///
    /// async fn save_database(app: App) -> Result {
    ///     let file = format!("{}/dumps/{}.dump", app.root(), app.release());
    ///     run(cmd!("pg_dump --format=custom --file={file} shop")).await?;
    ///     let restore = format!("pg_restore --clean --dbname=shop {file}");
    ///     app.record_snapshot(Snapshot::new(&file).restore_command(restore));
    ///     Ok(())
    /// }
    /// # drop(save_database);
    /// ```
    pub fn record_snapshot(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    /// Returns the recorded snapshot.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the migrations approved before the build.
    pub(crate) fn with_approved(self, approved: Option<Arc<ApprovedMigrations>>) -> Self {
        Self { approved, ..self }
    }

    /// Shares the recorded snapshot with another host, for the once-only steps of one deploy.
    pub(crate) fn sharing_snapshot(self, other: &Self) -> Self {
        Self { snapshot: Arc::clone(&other.snapshot), ..self }
    }

    /// Sets the live code of the site.
    pub(crate) fn with_live(self, live: LiveApp) -> Self {
        Self { live, ..self }
    }

    /// Returns the live code of the site.
    pub(crate) fn live(&self) -> &LiveApp {
        &self.live
    }

    /// Returns the migrations approved before the build, or `None` if they were unknown then.
    pub(crate) fn approved(&self) -> Option<&ApprovedMigrations> {
        self.approved.as_deref()
    }

    /// Records the last migration of each application in the release, for the manifest.
    pub(crate) fn set_migrations(&self, migrations: Vec<String>) {
        *self.migrations.lock().unwrap_or_else(PoisonError::into_inner) = migrations;
    }

    /// Returns the recorded migrations.
    pub(crate) fn migrations(&self) -> Vec<String> {
        self.migrations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The future of a step on one host.
pub type StepFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>;

/// A step in one phase of a deploy: a closure with an [`App`] argument, or a type of this crate.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{App, Site};
///
/// let site = Site::new("/srv/shop")
///     .build(|app: App| {
///         let release = app.release().clone();
///         run(cmd!("make VERSION={release}"))
///     })
///     .restart(|_| sudo("systemctl reload shop"));
/// # drop(site);
/// ```
pub trait DeployStep: Send + Sync + 'static {
    /// Runs the step on one host.
    fn run(&self, app: App) -> StepFuture;

    /// Checks the settings of a build, restart or health step, or of a hook, for a host, before the
    /// deploy changes anything. Once-only steps and hooks and other steps are not checked. The
    /// default accepts every host.
    ///
    /// # Errors
    ///
    /// A missing or invalid setting, such as a variable of the host.
    fn check(&self, host: &Connection) -> Result<(), Error> {
        let _ = host;
        Ok(())
    }

    /// Checks a host before the approval, for example its connection to the database. Only called
    /// for snapshot steps of [`Django`](crate::Django). The check must not change anything. The
    /// release does not exist yet. The default accepts every host.
    fn preflight(&self, app: App) -> StepFuture {
        let _ = app;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Returns the command of a restart step, for a host that reverts by itself after the loss of
    /// the run: [`Site::revert_unless_confirmed`](crate::Site::revert_unless_confirmed). `app` is
    /// the previous release. The default is `None`: a closure runs only inside the run.
    fn host_command(&self, app: &App) -> Option<RestartCommand> {
        let _ = app;
        None
    }
}

impl<F, Fut> DeployStep for F
where
    F: Fn(App) -> Fut + Send + Sync + 'static,
    Fut: IntoFuture,
    Fut::IntoFuture: Send + 'static,
    Fut::Output: TaskReturn,
{
    fn run(&self, app: App) -> StepFuture {
        let connection = app.connection.clone();
        // Commands created by the closure before the first poll also belong to this host.
        let future = connection.enter_sync(|| self(app)).into_future();
        Box::pin(async move { connection.enter(future).await.into_result().map(drop) })
    }
}

impl DeployStep for RestartCommand {
    fn run(&self, app: App) -> StepFuture {
        let command = match self.user {
            RestartUser::Login => app.connection.run(self.line.clone()),
            // Outside the directory of the release, plain words reach sudo unchanged.
            RestartUser::Root => app.host.sudo(self.line.clone()),
        };
        let command = match &self.name {
            Some(name) => command.named(name),
            None => command,
        };
        Box::pin(async move { Ok(command.await.map(drop)?) })
    }

    fn host_command(&self, _app: &App) -> Option<RestartCommand> {
        Some(self.clone())
    }
}

/// The steps of one phase in their order, each with its scope.
#[derive(Clone, Default)]
pub(crate) struct Steps(Vec<(Scope, Arc<dyn DeployStep>)>);

impl Steps {
    pub(crate) fn push(&mut self, scope: Scope, step: impl DeployStep) {
        self.0.push((scope, Arc::new(step)));
    }

    /// Runs the steps for the host of `app` in sequence.
    ///
    /// # Errors
    ///
    /// The first error of a step. Later steps then do not run.
    pub(crate) async fn run(&self, app: &App) -> Result<(), TaskError> {
        for (scope, step) in &self.0 {
            if scope.has(app.connection())? {
                step.run(app.clone()).await?;
            }
        }
        Ok(())
    }

    /// Returns all steps with their scopes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Scope, &dyn DeployStep)> {
        self.0.iter().map(|(scope, step)| (scope, &**step))
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps", self.0.len())
    }
}
