//! What is done in a phase of a deploy: a function of the application as it is on one host.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::task::TaskReturn;
use fabrs::{Connection, Error, TaskError};

use crate::database::snapshot::Snapshot;
use crate::release::id::ReleaseId;
use crate::scope::Scope;

/// The application on one host, in one of its releases: what a step works on.
///
/// Within a step the free functions mean its host: `run(..)` and `v_run(..)` stand in the folder of the release, and in its
/// virtualenv where it has one.
#[derive(Debug, Clone)]
pub struct App {
    connection: Connection,
    /// The host, without the folder and the virtualenv.
    host: Connection,
    root: String,
    folder: String,
    release: ReleaseId,
    migrations: Arc<Mutex<Vec<String>>>,
    snapshot: Arc<Mutex<Option<Snapshot>>>,
    /// The migrations that were approved before the build, where they were known.
    approved: Option<Arc<ApprovedMigrations>>,
    /// The live release of the site, for a step that is done once for all hosts.
    live: LiveApp,
}

/// The migrations that were approved before the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApprovedMigrations {
    /// Their full names.
    pub(crate) names: Vec<String>,
    /// The text that was shown, with warnings.
    pub(crate) text: String,
}

/// The live release of a site.
#[derive(Debug, Clone, Default)]
pub(crate) enum LiveApp {
    /// Nothing is live.
    #[default]
    None,
    /// This release, on a host.
    Release(Box<App>),
    /// Code that can't be asked any more: a work tree was replaced.
    Replaced,
}

impl App {
    pub(crate) fn new(host: &Connection, root: &str, folder: String, release: ReleaseId) -> Self {
        let connection = host.cd(&folder).venv(format!("{folder}/env"));
        let (migrations, snapshot) = (Arc::default(), Arc::default());
        Self {
            connection,
            host: host.clone(),
            root: root.to_owned(),
            folder,
            release,
            migrations,
            snapshot,
            approved: None,
            live: LiveApp::None,
        }
    }

    /// Returns the connection that the free functions mean.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the host, without the folder and the virtualenv of the release.
    pub(crate) fn host(&self) -> &Connection {
        &self.host
    }

    /// Returns the folder of the site, in which `current` and `shared` are.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the folder of the release.
    pub fn release_dir(&self) -> &str {
        &self.folder
    }

    /// Returns the name of the release.
    pub fn release(&self) -> &ReleaseId {
        &self.release
    }

    /// Records the snapshot of the database that a step has made. If the database is ahead of the live release later, it is named
    /// with the command that restores it.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{App, Snapshot};
    ///
    /// async fn save_database(app: App) -> Result {
    ///     let file = format!("{}/dumps/{}.dump", app.root(), app.release());
    ///     run(cmd!("pg_dump --format=custom --file={file} shop")).await?;
    ///     app.record_snapshot(Snapshot::new(&file).restore_command(format!("pg_restore --clean --dbname=shop {file}")));
    ///     Ok(())
    /// }
    /// # drop(save_database);
    /// ```
    pub fn record_snapshot(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    /// Returns the snapshot that was recorded.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the migrations that were approved before the build.
    pub(crate) fn with_approved(self, approved: Option<Arc<ApprovedMigrations>>) -> Self {
        Self { approved, ..self }
    }

    /// Shares the snapshot with an application on another host, for steps that are run once for all hosts.
    pub(crate) fn sharing_snapshot(self, other: &Self) -> Self {
        Self { snapshot: Arc::clone(&other.snapshot), ..self }
    }

    /// Sets the live release of the site.
    pub(crate) fn with_live(self, live: LiveApp) -> Self {
        Self { live, ..self }
    }

    /// Returns the live release of the site.
    pub(crate) fn live(&self) -> &LiveApp {
        &self.live
    }

    /// Returns the migrations that were approved before the build; nothing, where they were not known then.
    pub(crate) fn approved(&self) -> Option<&ApprovedMigrations> {
        self.approved.as_deref()
    }

    /// Takes down, while the release is built, the last migration of each application that it brings: for its manifest.
    pub(crate) fn set_migrations(&self, migrations: Vec<String>) {
        *self.migrations.lock().unwrap_or_else(PoisonError::into_inner) = migrations;
    }

    /// Returns what was taken down of migrations.
    pub(crate) fn migrations(&self) -> Vec<String> {
        self.migrations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a step does on one host.
pub type StepFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>;

/// Something that is done in a phase of a deploy, on each host: a closure that takes the [`App`], or what the kit has for it.
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
    /// Does it.
    fn run(&self, app: App) -> StepFuture;

    /// Checks before a deploy changes anything whether the step is complete for a host. By default it is.
    ///
    /// # Errors
    ///
    /// What is missing, such as a variable of the host.
    fn check(&self, host: &Connection) -> Result<(), Error> {
        let _ = host;
        Ok(())
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
        // What the closure makes before its future is polled belongs to this host as well.
        let future = connection.enter_sync(|| self(app)).into_future();
        Box::pin(async move { connection.enter(future).await.into_result().map(drop) })
    }
}

/// The steps of one phase, in their order, each with the hosts that it is for.
#[derive(Clone, Default)]
pub(crate) struct Steps(Vec<(Scope, Arc<dyn DeployStep>)>);

impl Steps {
    pub(crate) fn push(&mut self, scope: Scope, step: impl DeployStep) {
        self.0.push((scope, Arc::new(step)));
    }

    /// Runs those for the host of an application, one after the other.
    pub(crate) async fn run(&self, app: &App) -> Result<(), TaskError> {
        for (scope, step) in &self.0 {
            if scope.has(app.connection())? {
                step.run(app.clone()).await?;
            }
        }
        Ok(())
    }

    /// Returns all of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Scope, &dyn DeployStep)> {
        self.0.iter().map(|(scope, step)| (scope, &**step))
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps", self.0.len())
    }
}
