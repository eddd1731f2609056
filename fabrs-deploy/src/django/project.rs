//! The [`Django`] plugin: static files, system checks and migrations.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::{Client, Error, ErrorKind, Hide, TaskError, cmd};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::database::inspector::{BuildSource, MigrationInspector, MigrationPlan, ReleaseAge};
use crate::database::migration_log::MigrationLogEntry;
use crate::plugin::Plugin;
use crate::release::layout::MIGRATION_LOG_FILE;
use crate::scope::Scope;
use crate::site::Site;
use crate::step::{App, DeployStep, LiveApp, Steps};

use super::manage::manage;
use super::plan::{LiveCode, Migrations};
use super::{preview, state};

/// A Django project.
///
/// - **Build**, on each host: runs `collectstatic` and `check --deploy`, and loads the WSGI
///   application. A release that cannot be loaded fails before any server reloads.
/// - **Once**, before the switch: makes the snapshot of the database, then runs `migrate`. Pending
///   migrations without a snapshot are an error, unless
///   [`without_snapshot`](Self::without_snapshot) is set.
/// - **Deferred migrations.** A migration that drops a column or a table of the live release causes
///   a warning. The migration waits until the new release is live on all hosts. Put such a
///   migration into a separate, later deploy if possible.
/// - **Approval.** The approval of a deploy includes the plan of its migrations, with warnings.
/// - **Unknown migrations.** A deploy or a rollback is refused if the database has migrations
///   unknown to the release. After a failure, the output, the mail, `status` and `releases` list
///   these migrations and the snapshot made before them.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Database, Django, Python, Site};
///
/// let site = Site::new("/srv/shop")
///     .linked_files([".env"])
///     .with(Python::new().requirements("requirements.txt"))
///     .with(Django::new().snapshot(Database::from_env_file(".env", "DATABASE_URL")));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a plugin does nothing until `Site::with` adds it to a site"]
pub struct Django {
    snapshot: SnapshotPolicy,
    static_files: StaticFiles,
    /// The reported warnings of `check`. Each warning is reported once for all hosts.
    reported_warnings: Arc<Mutex<HashSet<String>>>,
}

/// The snapshot before migrations.
#[derive(Debug, Clone)]
enum SnapshotPolicy {
    /// No decision was made, so migrations are refused.
    Undecided,
    /// Runs these steps.
    Make(Steps),
    /// Migrates without a snapshot.
    Skip,
}

/// The handling of static files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StaticFiles {
    /// Runs `collectstatic`.
    Collect,
    /// Runs `collectstatic`, then copies this directory to `shared`.
    CollectAndShare(String),
    /// Does nothing.
    Skip,
}

impl Django {
    /// Deploys the project with its `manage.py` in the directory of the release.
    ///
    /// ```
    /// # use fabrs_deploy::Django;
    /// assert!(format!("{:?}", Django::new()).contains("Collect"));
    /// ```
    pub fn new() -> Self {
        Self {
            snapshot: SnapshotPolicy::Undecided,
            static_files: StaticFiles::Collect,
            reported_warnings: Arc::default(),
        }
    }

    /// Adds a step that saves the database before migrations.
    ///
    /// The step runs once, on the host that migrates, and is skipped without pending migrations. If
    /// the step fails, the deploy fails and migrates nothing. Use a
    /// [`Database`](crate::Database), or a closure that calls
    /// [`App::record_snapshot`](crate::App::record_snapshot).
    ///
    /// ```
    /// # use fabrs_deploy::{Database, Django};
    /// let django = Django::new().snapshot(Database::from_env_file(".env", "DATABASE_URL"));
    /// assert!(format!("{django:?}").contains("1 steps"));
    /// ```
    pub fn snapshot(mut self, step: impl DeployStep) -> Self {
        let mut steps = match self.snapshot {
            SnapshotPolicy::Make(steps) => steps,
            SnapshotPolicy::Undecided | SnapshotPolicy::Skip => Steps::default(),
        };
        steps.push(Scope::default(), step);
        self.snapshot = SnapshotPolicy::Make(steps);
        self
    }

    /// Migrates without a snapshot of the database. fabrs then keeps no data to restore after
    /// a failed migration.
    ///
    /// ```
    /// # use fabrs_deploy::Django;
    /// assert!(format!("{:?}", Django::new().without_snapshot()).contains("Skip"));
    /// ```
    pub fn without_snapshot(mut self) -> Self {
        self.snapshot = SnapshotPolicy::Skip;
        self
    }

    /// Makes the snapshot before migrations.
    ///
    /// # Errors
    ///
    /// As [`check_snapshot`](Self::check_snapshot), and the error of a step.
    async fn make_snapshot(&self, app: &App) -> Result<(), TaskError> {
        self.check_snapshot()?;
        match &self.snapshot {
            SnapshotPolicy::Make(steps) => steps
                .run(app)
                .await
                .map_err(|error| error.context("the snapshot of the database failed, so no migration was run")),
            SnapshotPolicy::Undecided | SnapshotPolicy::Skip => Ok(()),
        }
    }

    /// Checks that a decision about the snapshot was made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] without a decision.
    fn check_snapshot(&self) -> Result<(), Error> {
        match self.snapshot {
            SnapshotPolicy::Undecided => {
                let error = Error::new(ErrorKind::Usage, "pending migrations, but `Django` has no database snapshot");
                Err(error.hint("add `.snapshot(Database::from_env_file(..))` to `Django`, or `.without_snapshot()`"))
            }
            SnapshotPolicy::Make(_) | SnapshotPolicy::Skip => Ok(()),
        }
    }

    /// Copies the collected static files to `shared`. The web server serves the files from
    /// `shared`.
    ///
    /// `folder` is the `STATIC_ROOT`, relative to the directory of the release. The copy has the
    /// same name in `shared`. Pages of the old release, still open in browsers, then find their
    /// files.
    ///
    /// Existing files are never replaced. The project needs file names that change with the content
    /// (`ManifestStaticFilesStorage`). Don't link `STATIC_ROOT` to `shared` instead:
    /// `collectstatic` deletes a file before it writes the new one, so requests would fail in
    /// between.
    ///
    /// ```
    /// # use fabrs_deploy::Django;
    /// let django = Django::new().share_static_files("static");
    /// assert!(format!("{django:?}").contains("CollectAndShare(\"static\")"));
    /// ```
    pub fn share_static_files(mut self, folder: impl Into<String>) -> Self {
        self.static_files = StaticFiles::CollectAndShare(folder.into());
        self
    }

    /// Skips `collectstatic`.
    ///
    /// ```
    /// # use fabrs_deploy::Django;
    /// assert!(format!("{:?}", Django::new().without_static_files()).contains("Skip"));
    /// ```
    pub fn without_static_files(mut self) -> Self {
        self.static_files = StaticFiles::Skip;
        self
    }

    async fn build(self: Arc<Self>, app: App) -> Result<(), TaskError> {
        // A repository may contain compiled files of deleted sources, which Python would still
        // import.
        let stale = app.connection().run("find . -name '*.pyc' -not -path './env/*' -delete");
        stale.named("remove *.pyc").await?;
        if self.static_files != StaticFiles::Skip {
            manage("collectstatic --noinput --verbosity 0").await?;
        }
        if let StaticFiles::CollectAndShare(folder) = &self.static_files {
            let shared = format!("{}/shared/{folder}", app.root());
            // Copy and rename: an incomplete file would never be replaced.
            let copy = "for file; do [ -e \"$0/$file\" ] || { mkdir -p \"$0/${file%/*}\" && cp \"$file\" \"$0/$file.fabrs\" && \
                        mv \"$0/$file.fabrs\" \"$0/$file\"; } || exit; done";
            app.connection()
                .run(cmd!("mkdir -p {shared} && cd {folder} && find . -type f -exec sh -c {copy} {shared} {{}} +"))
                .named(format!("copy static files to shared/{folder}"))
                .await?;
        }
        self.check(&app).await?;
        let loaded = manage("shell --verbosity 0")
            .stdin(LOAD_WSGI_SCRIPT)
            .named("load the WSGI application")
            .hide(Hide::Stdout)
            .await?;
        if loaded.was_run() {
            app.set_migrations(state::parse_heads(&loaded)?);
        }
        Ok(())
    }

    /// Runs `check --deploy`. An error fails the build, and a warning is reported.
    async fn check(&self, app: &App) -> Result<(), Error> {
        let output = manage("check --deploy --fail-level ERROR").hide(Hide::Both).await?;
        let (Some(client), true) = (app.connection().client(), output.was_run()) else { return Ok(()) };
        for line in output.stderr()?.lines().filter(|line| line.contains(".W")) {
            if self.reported_warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned()) {
                client.warn(app.connection().host(), format!("check: {}", line.trim_start_matches("?: ")));
            }
        }
        Ok(())
    }

    /// Shows the plan, makes the snapshot, and runs all migrations compatible with the live
    /// release.
    async fn migrate(self: Arc<Self>, app: App) -> Result<(), TaskError> {
        let Some(state) = state::read(app.connection()).await? else {
            // In a dry run, the new release does not exist. The plan of the approval may know that
            // no migration is pending.
            if app.approved().is_some_and(|approved| approved.names.is_empty()) {
                return Ok(());
            }
            self.make_snapshot(&app).await?;
            manage("migrate --noinput").await?;
            return Ok(());
        };
        let live = if state.pending.is_empty() { LiveCode::Absent } else { live_code(&app).await? };
        let migrations = Migrations::compare(state.pending, &live);
        if let Some(client) = app.connection().client() {
            approve_plan(&client, &app, &migrations).await?;
        }
        if migrations.is_empty() {
            return Ok(());
        }
        self.make_snapshot(&app).await?;
        // The entry precedes the migrations, since a killed run must leave a record too.
        let entry = MigrationLogEntry::new(app.release(), migrations.names(), app.snapshot());
        let entry = serde_json::to_string(&entry).unwrap_or_default();
        // The restore command may contain a password.
        let entry = app.connection().client().map_or_else(|| entry.clone(), |client| client.redact(&entry));
        let (folder, log) = (migration_log_dir(&app), MIGRATION_LOG_FILE);
        let record = app.connection().run(cmd!("umask 077; cat >> {folder}/{log}")).stdin(entry + "\n");
        record.named("record the migrations").await?;
        for line in migrations.commands_before_switch() {
            let name = line.as_str().trim_start_matches("python ").to_owned();
            app.connection().v_run(line).named(name).await?;
        }
        if let Some(columns) = migrations.columns_to_relax() {
            let script = format!("COLUMNS = {}\n{RELAX_COLUMNS_SCRIPT}", serde_json::Value::String(columns));
            manage("shell --verbosity 0")
                .stdin(script)
                .named("make columns nullable until they are dropped")
                .hide(Hide::Stdout)
                .await?;
        }
        Ok(())
    }
}

/// Shows the plan, and prompts for an approval of migrations and warnings that were unknown before
/// the build.
async fn approve_plan(client: &Client, app: &App, migrations: &Migrations) -> Result<(), Error> {
    let (names, warnings) = (migrations.names(), migrations.warnings());
    let mut shown = migrations.plan();
    shown.extend(warnings.iter().map(|warning| format!("\nwarning: {warning}")));
    let is_approved = match app.approved() {
        Some(approved) => {
            names.iter().all(|name| approved.names.contains(name))
                && warnings.iter().all(|warning| approved.text.contains(warning))
        }
        None => names.is_empty(),
    };
    if is_approved {
        return Ok(());
    }
    client.approve_late_changes(&shown).await
}

/// Reads the models of the live release.
async fn live_code(app: &App) -> Result<LiveCode, Error> {
    Ok(match app.live() {
        LiveApp::None => LiveCode::Absent,
        LiveApp::Replaced => LiveCode::Unknown,
        LiveApp::Release(live) => match state::probe(live.connection()).await? {
            Some(state) => LiveCode::Models(state.models),
            None => LiveCode::Unknown,
        },
    })
}

/// Returns the directory of the migration log. For a work tree, this is `.git`.
fn migration_log_dir(app: &App) -> String {
    if app.release_dir() == app.root() { format!("{}/.git", app.root()) } else { app.root().to_owned() }
}

/// Makes the columns of deferred drops nullable.
const RELAX_COLUMNS_SCRIPT: &str = include_str!("relax_columns.py");

impl MigrationInspector for Django {
    fn unknown_to(&self, app: App, age: ReleaseAge) -> BoxFuture<'static, Result<Option<Vec<String>>, Error>> {
        async move {
            let state = match age {
                ReleaseAge::New => state::read(app.connection()).await?,
                ReleaseAge::Existing => state::probe(app.connection()).await?,
            };
            Ok(state.map(|state| state.unknown))
        }
        .boxed()
    }

    fn preflight(&self, app: App) -> BoxFuture<'_, Result<(), TaskError>> {
        async move {
            match &self.snapshot {
                SnapshotPolicy::Make(steps) => {
                    for (_, step) in steps.iter() {
                        step.preflight(app.clone()).await?;
                    }
                    Ok(())
                }
                SnapshotPolicy::Undecided | SnapshotPolicy::Skip => Ok(()),
            }
        }
        .boxed()
    }

    fn plan<'a>(&'a self, live: Option<App>, build: BuildSource<'a>) -> BoxFuture<'a, Result<MigrationPlan, Error>> {
        async move {
            let plan = preview::plan(live, build).await?;
            if plan.names.as_ref().is_some_and(|names| !names.is_empty()) {
                self.check_snapshot()?;
            }
            Ok(plan)
        }
        .boxed()
    }
}

/// Loads the WSGI application, since a server exits if this fails. Prints the last migration of
/// each application.
const LOAD_WSGI_SCRIPT: &str = include_str!("load_wsgi.py");

impl Default for Django {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for Django {
    fn add_to(self, site: Site) -> Site {
        let django = Arc::new(self);
        let (build, migrate) = (Arc::clone(&django), Arc::clone(&django));
        let site = site
            .build(move |app| Arc::clone(&build).build(app))
            .once(move |app| Arc::clone(&migrate).migrate(app))
            .post_deploy(run_deferred_migrations);
        Site { database: Some((site.scope.clone(), django)), ..site }
    }
}

/// Runs the deferred migrations: no host uses the dropped columns and tables any more.
async fn run_deferred_migrations(app: App) -> Result<(), TaskError> {
    if state::read(app.connection()).await?.is_some_and(|state| !state.pending.is_empty()) {
        manage("migrate --noinput").await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_without_a_snapshot_policy_are_an_error() {
        let error = Django::new().check_snapshot().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(Django::new().without_snapshot().check_snapshot().is_ok());
        assert!(Django::new().snapshot(|_| async { Ok::<(), TaskError>(()) }).check_snapshot().is_ok());
    }
}
