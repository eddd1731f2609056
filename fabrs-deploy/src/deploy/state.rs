//! What a deploy does about the state of the database: refuse code that does not know it, and name what is left of a failure.

use std::collections::HashSet;

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, TaskError, cmd};

use super::begin::Coming;
use super::site_hosts::{SiteHosts, Surveys};
use crate::database::{BuildSource, MigrationLogEntry, MigrationPlan, ReleaseAge, UnknownMigrations};
use crate::outcomes::all_ok;
use crate::release::{ACCEPTED_FILE, ReleaseId, SiteKind, Survey};
use crate::site::Site;
use crate::source::{Git, Revision};
use crate::step::{App, LiveApp};

/// What is done if the database has migrations that the code does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum MigrationGuard {
    #[default]
    Refuse,
    Allow,
}

impl MigrationGuard {
    pub(super) fn of(goes_on: bool) -> Self {
        if goes_on { Self::Allow } else { Self::Refuse }
    }
}

/// Returns the migrations that a build would bring, before it is approved; nothing, if the site has no database.
///
/// # Errors
///
/// As any command.
pub(super) async fn plan(
    fleet: &SiteHosts,
    surveys: &Surveys,
    source: &Git,
    revision: &Revision,
) -> Result<Option<MigrationPlan>, Error> {
    let Some((host, database)) = fleet.database()? else { return Ok(None) };
    let live = match fleet.live(surveys)? {
        LiveApp::Release(app) => Some(*app),
        LiveApp::None | LiveApp::Replaced => None,
    };
    let build = BuildSource { source, host, layout: fleet.layouts.of(host)?, commit: &revision.commit };
    let mut plan = database.plan(live, build).await?;
    let accepted = accepted(surveys);
    plan.unknown.retain(|migration| !accepted.contains(migration.as_str()));
    Ok(Some(plan))
}

/// Refuses a build that does not know the database, as far as that can be seen before it is built.
///
/// # Errors
///
/// [`ErrorKind::Task`] with the migrations and the snapshot.
pub(super) fn check_plan(
    surveys: &Surveys,
    plan: Option<&MigrationPlan>,
    revision: &Revision,
    if_ahead: MigrationGuard,
) -> Result<(), Error> {
    match plan {
        Some(plan) if !plan.unknown.is_empty() && if_ahead == MigrationGuard::Refuse => {
            Err(refused(&revision.to_string(), &plan.unknown, &log(surveys)))
        }
        _ => Ok(()),
    }
}

/// Refuses a release that is built and does not know the database, before anything is migrated. What it may do without is
/// recorded in it.
///
/// # Errors
///
/// [`ErrorKind::Task`] with the migrations and the snapshot; as any command.
pub(super) async fn guard_build(fleet: &SiteHosts, coming: &Coming, if_ahead: MigrationGuard) -> Result<(), TaskError> {
    let Some((host, database)) = fleet.database()? else { return Ok(()) };
    let app = fleet.app(host, &coming.release)?;
    let Some(unknown) = database.unknown_to(app, ReleaseAge::New).await? else { return Ok(()) };
    if unknown.is_empty() {
        return Ok(());
    }
    let accepted = accepted(&coming.before);
    let ahead: Vec<String> = unknown.iter().filter(|one| !accepted.contains(one.as_str())).cloned().collect();
    let has_live = coming.before.values().any(|survey| survey.live().is_some());
    if !ahead.is_empty() {
        // A first deploy may meet what another tool has done; nothing of it was live before.
        if has_live && if_ahead == MigrationGuard::Refuse {
            return Err(refused(&coming.revision.to_string(), &ahead, &log(&coming.before)).into());
        }
        let text = format!("the database has migrations unknown to {}: {}", coming.revision, ahead.join(", "));
        fleet.client().warn(None, text);
    }
    let unknown = unknown.join("\n");
    let written = fleet.hosts.each(|host| {
        let unknown = &unknown;
        async move {
            let layout = fleet.layouts.of(&host)?;
            let folder = match fleet.site.kind {
                SiteKind::Releases => layout.release(&coming.release),
                SiteKind::InPlace => layout.private_dir(),
            };
            host.run(cmd!("printf '%s\\n' {unknown} > {folder}/{ACCEPTED_FILE}"))
                .named("record the unknown migrations")
                .await
        }
    });
    all_ok(written.await)?;
    Ok(())
}

/// Refuses to go back to a release that does not know the database.
///
/// # Errors
///
/// [`ErrorKind::Task`] with the migrations and the snapshot, and if the release can't tell; as any command.
pub(super) async fn guard_release(fleet: &SiteHosts, surveys: &Surveys, release: &ReleaseId) -> Result<(), Error> {
    let Some((host, database)) = fleet.database()? else { return Ok(()) };
    let app = fleet.app(host, release)?;
    let Some(unknown) = database.unknown_to(app, ReleaseAge::Existing).await? else {
        let error = Error::new(ErrorKind::Task, format!("could not check the migrations of release {release}"));
        return Err(error.hint(
            "check the release on the host, or roll back without this check: `.allow_unknown_migrations(true)`",
        ));
    };
    let log = log(surveys);
    match UnknownMigrations::of(release, unknown, &accepted_by(surveys, release), &log) {
        None => Ok(()),
        Some(ahead) => Err(refused(release.as_str(), &ahead.migrations, &log)),
    }
}

/// Returns the migrations in the database that are unknown to the live release, after a deploy or a rollback.
pub(super) async fn ahead(fleet: &SiteHosts, coming: &Coming, is_live: bool) -> Option<UnknownMigrations> {
    let (_, database) = fleet.site.database.as_ref()?;
    if fleet.client().settings().mode == Mode::DryRun {
        return None;
    }
    // Over `aside`: this also runs after the run was stopped.
    let hosts = fleet.aside(|_| true);
    let (host, release) = in_scope_first(&fleet.site, hosts.connections()).into_iter().find_map(|host| {
        let release = if is_live { Some(&coming.release) } else { coming.live(host) };
        Some((host, release?))
    })?;
    let unknown = match fleet.app(host, release) {
        Ok(app) => database.unknown_to(app, ReleaseAge::Existing).await,
        Err(error) => Err(error),
    };
    let why = match unknown {
        Ok(Some(unknown)) if unknown.is_empty() => return None,
        Ok(Some(unknown)) => {
            let surveys = fleet.look_at(&hosts).await;
            return UnknownMigrations::of(release, unknown, &accepted_by(&surveys, release), &log(&surveys));
        }
        Ok(None) => "the application can't be loaded".to_owned(),
        Err(error) => error.message().to_owned(),
    };
    fleet.client().warn(host.host(), format!("could not check the migrations of release {release}: {why}"));
    None
}

/// Returns a line for each live release of some hosts that lacks migrations of the database, or can't be asked.
pub(crate) async fn ahead_of_live(site: &Site, hosts: &[Connection], surveys: &Surveys) -> Vec<String> {
    let Some((_, database)) = &site.database else { return Vec::new() };
    let (mut asked, mut lines) = (HashSet::new(), Vec::new());
    for host in in_scope_first(site, hosts) {
        let Some(survey) = host.host().and_then(|name| surveys.get(name)) else { continue };
        let Some(live) = survey.live().filter(|live| asked.insert(*live)) else { continue };
        let app = App::new(host, survey.layout.root(), survey.layout.release(live), live.clone());
        let why = match database.unknown_to(app, ReleaseAge::Existing).await {
            Ok(Some(unknown)) => {
                let accepted = survey.accepted_by_live().iter().map(String::as_str).collect();
                let ahead = UnknownMigrations::of(live, unknown, &accepted, &log(surveys));
                lines.extend(ahead.map(|ahead| ahead.to_string()));
                continue;
            }
            Ok(None) => "the application can't be loaded".to_owned(),
            Err(error) => error.message().to_owned(),
        };
        lines.push(format!("could not check the migrations of release {live}: {why}"));
    }
    lines
}

/// Returns the migrations that live releases did not know when they went live.
fn accepted(surveys: &Surveys) -> HashSet<&str> {
    surveys.values().flat_map(Survey::accepted_by_live).map(String::as_str).collect()
}

/// Returns the migrations that a release did not know when it went live.
fn accepted_by<'a>(surveys: &'a Surveys, release: &ReleaseId) -> HashSet<&'a str> {
    let found = surveys.values().filter_map(|survey| survey.releases.get(release));
    found.flat_map(|found| &found.accepted_migrations).map(String::as_str).collect()
}

/// Returns hosts such that those from which the database can be asked come first.
fn in_scope_first<'a>(site: &Site, hosts: &'a [Connection]) -> Vec<&'a Connection> {
    let mut hosts: Vec<&Connection> = hosts.iter().collect();
    if let Some((scope, _)) = &site.database {
        // A role that is not there was an error before.
        hosts.sort_by_key(|host| !scope.or(&site.once_hosts).has(host).unwrap_or(false));
    }
    hosts
}

/// Returns the log of migrations: the entries of all hosts in their order, as another host may have migrated before.
fn log(surveys: &Surveys) -> Vec<MigrationLogEntry> {
    let mut log: Vec<MigrationLogEntry> = surveys.values().flat_map(|survey| &survey.migration_log).cloned().collect();
    log.sort_by(|one, other| one.started_at().cmp(other.started_at()));
    log
}

fn refused(code: &str, migrations: &[String], log: &[MigrationLogEntry]) -> Error {
    let text = format!("the database has migrations unknown to {code}: {}", migrations.join(", "));
    let error = Error::new(ErrorKind::Task, text);
    let snapshot = MigrationLogEntry::snapshot_before(log, migrations);
    let restore = snapshot.map_or_else(String::new, |snapshot| format!("restore the database ({snapshot}), "));
    let restore = restore.replace('\n', ", ");
    error.hint(format!(
        "{restore}unapply them with a release that has them, or allow them: `.allow_unknown_migrations(true)`"
    ))
}
