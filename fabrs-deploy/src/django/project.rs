//! Django: what makes a release whole, what it does to the database and when, and when going back is not safe.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::{Client, Error, Hide, TaskError, cmd};
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
/// * **build**, on each host: `collectstatic`, `check --deploy`, and whether the WSGI application can be loaded at all, so that
///   no server is told to take up what it can't;
/// * **once**, before the switch: the snapshot is made, then `migrate` runs;
/// * what drops a column or a table that the live release still uses is warned of, and done when the new release is live
///   everywhere: expand and contract belong into two deploys;
/// * the approval before a deploy covers the plan of the migrations, with warnings;
/// * a deploy or a rollback is refused if the database has migrations unknown to the release. After a failure, the output, the
///   mail, `status` and `releases` list these migrations and the snapshot made before them.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Django, Python, Site};
///
/// let site = Site::new("/srv/shop")
///     .with(Python::new().requirements("requirements.txt"))
///     .with(Django::new().snapshot(|_| run("pg_dump --format=custom --file=../../shared/before.dump shop")));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a site has it"]
pub struct Django {
    snapshot: Steps,
    static_files: StaticFiles,
    /// What `check` has found so far: each is told once, and not for every host.
    reported_warnings: Arc<Mutex<HashSet<String>>>,
}

/// What becomes of static files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StaticFiles {
    /// They are collected into the release.
    Collect,
    /// And those of this folder are copied to `shared` as well.
    CollectAndShare(String),
    Skip,
}

impl Django {
    /// Takes the project whose `manage.py` is in the folder of the release.
    pub fn new() -> Self {
        Self { snapshot: Steps::default(), static_files: StaticFiles::Collect, reported_warnings: Arc::default() }
    }

    /// Adds what saves the database, once, on the host that migrates: it must succeed before a migration begins, and is not done
    /// where there is none.
    pub fn snapshot(mut self, step: impl DeployStep) -> Self {
        self.snapshot.push(Scope::default(), step);
        self
    }

    /// Copies what is collected into this folder of the release (`STATIC_ROOT`) to the folder of this name in `shared` as well,
    /// from where a web server gives it out: whoever has a page of the old release open still finds what belongs to it. For
    /// names that change with what is in them (`ManifestStaticFilesStorage`), since nothing there is ever replaced.
    ///
    /// A folder that is linked to `shared` and collected into is not the same: `collectstatic` removes what it replaces, and for
    /// a moment it is not there.
    pub fn share_static_files(mut self, folder: impl Into<String>) -> Self {
        self.static_files = StaticFiles::CollectAndShare(folder.into());
        self
    }

    /// Leaves out `collectstatic`.
    pub fn without_static_files(mut self) -> Self {
        self.static_files = StaticFiles::Skip;
        self
    }

    async fn build(self: Arc<Self>, app: App) -> Result<(), TaskError> {
        // A repository may hold what Python has compiled from sources that are gone.
        let stale = app.connection().run("find . -name '*.pyc' -not -path './env/*' -delete");
        stale.named("remove *.pyc").await?;
        if self.static_files != StaticFiles::Skip {
            manage("collectstatic --noinput --verbosity 0").await?;
        }
        if let StaticFiles::CollectAndShare(folder) = &self.static_files {
            let shared = format!("{}/shared/{folder}", app.root());
            // Each under another name first: one that is half there would stay so.
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

    /// Has Django check the settings of the host: what is wrong fails, what is doubtful is told.
    async fn check(&self, app: &App) -> Result<(), Error> {
        let said = manage("check --deploy --fail-level ERROR").hide(Hide::Both).await?;
        let (Some(client), true) = (app.connection().client(), said.was_run()) else { return Ok(()) };
        for line in said.stderr()?.lines().filter(|line| line.contains(".W")) {
            if self.reported_warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned()) {
                client.warn(app.connection().host(), format!("check: {}", line.trim_start_matches("?: ")));
            }
        }
        Ok(())
    }

    /// Shows the plan for the database, saves it, and migrates as far as the live release can bear.
    async fn migrate(self: Arc<Self>, app: App) -> Result<(), TaskError> {
        let Some(known) = state::read(app.connection()).await? else {
            // In a dry run the new release is not there.
            self.snapshot.run(&app).await?;
            manage("migrate --noinput").await?;
            return Ok(());
        };
        let live = if known.pending.is_empty() { LiveCode::Absent } else { live_code(&app).await? };
        let migrations = Migrations::compare(known.pending, &live);
        if let Some(client) = app.connection().client() {
            approve_plan(&client, &app, &migrations).await?;
        }
        if migrations.is_empty() {
            return Ok(());
        }
        self.snapshot
            .run(&app)
            .await
            .map_err(|error| error.context("the database is not saved, so it is not migrated"))?;
        // Before they begin: also of a run that is killed the log must say what it did.
        let entry = MigrationLogEntry::new(app.release(), migrations.names(), app.snapshot());
        let entry = serde_json::to_string(&entry).unwrap_or_default();
        // A restore command may have a password.
        let entry = app.connection().client().map_or_else(|| entry.clone(), |client| client.redacted(&entry));
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

/// Shows the plan, and has the part of it approved that was not known before the build.
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

/// Asks the live release for its models.
async fn live_code(app: &App) -> Result<LiveCode, Error> {
    Ok(match app.live() {
        LiveApp::None => LiveCode::Absent,
        LiveApp::Replaced => LiveCode::Unknown,
        LiveApp::Release(live) => match state::probe(live.connection()).await? {
            Some(known) => LiveCode::Models(known.models),
            None => LiveCode::Unknown,
        },
    })
}

/// Returns the folder of the site for the kit's own files: in a work tree that of git.
fn migration_log_dir(app: &App) -> String {
    if app.release_dir() == app.root() { format!("{}/.git", app.root()) } else { app.root().to_owned() }
}

/// Lets columns be empty whose removal waits.
const RELAX_COLUMNS_SCRIPT: &str = include_str!("relax_columns.py");

impl MigrationInspector for Django {
    fn unknown_to(&self, app: App, age: ReleaseAge) -> BoxFuture<'static, Result<Option<Vec<String>>, Error>> {
        async move {
            let known = match age {
                ReleaseAge::New => state::read(app.connection()).await?,
                ReleaseAge::Existing => state::probe(app.connection()).await?,
            };
            Ok(known.map(|known| known.unknown))
        }
        .boxed()
    }

    fn plan<'a>(&'a self, live: Option<App>, build: BuildSource<'a>) -> BoxFuture<'a, Result<MigrationPlan, Error>> {
        preview::plan(live, build).boxed()
    }
}

/// Fails where the application can't be loaded: a server that is told to take it up would end. Says its last migrations.
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

/// Migrates what had to wait until no release is live that still uses what it drops.
async fn run_deferred_migrations(app: App) -> Result<(), TaskError> {
    if state::read(app.connection()).await?.is_some_and(|known| !known.pending.is_empty()) {
        manage("migrate --noinput").await?;
    }
    Ok(())
}
