//! Unknown migrations: migrations in the database without a counterpart in the code of a release.
//! Deploys and rollbacks to such code are refused. Reports list the migrations.

use std::collections::HashSet;

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, TaskError, cmd};

use crate::database::{BuildSource, MigrationLogEntry, MigrationPlan, ReleaseAge, UnknownMigrations};
use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::rollout::Rollout;
use crate::outcomes::all_ok;
use crate::release::{ACCEPTED_FILE, ReleaseId, SiteKind, Survey};
use crate::site::Site;
use crate::source::{Git, Revision};
use crate::step::LiveApp;

/// The reaction to migrations unknown to the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum UnknownMigrationPolicy {
    #[default]
    Refuse,
    Allow,
}

impl UnknownMigrationPolicy {
    pub(super) fn from_flag(allow: bool) -> Self {
        if allow { Self::Allow } else { Self::Refuse }
    }
}

/// Returns the plan of the migrations in a build, for the approval, or `None` if the site has no
/// database.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn plan(
    hosts: &ConnectedSite,
    surveys: &Surveys,
    source: &Git,
    revision: &Revision,
) -> Result<Option<MigrationPlan>, Error> {
    let Some((host, database)) = hosts.database()? else { return Ok(None) };
    let live = match hosts.live_app(surveys)? {
        LiveApp::Release(app) => Some(*app),
        LiveApp::None | LiveApp::Replaced => None,
    };
    let build = BuildSource { source, host, layout: hosts.layouts.of(host)?, commit: &revision.commit };
    let mut plan = database.plan(live, build).await?;
    let accepted = accepted_by_live(surveys);
    plan.unknown.retain(|migration| !accepted.contains(migration.as_str()));
    Ok(Some(plan))
}

/// Refuses a revision before its build, if the plan lists migrations of the database unknown to the
/// revision.
///
/// # Errors
///
/// [`ErrorKind::Task`] with the migrations and the snapshot.
pub(super) fn check_plan(
    surveys: &Surveys,
    plan: Option<&MigrationPlan>,
    revision: &Revision,
    policy: UnknownMigrationPolicy,
) -> Result<(), Error> {
    match plan {
        Some(plan) if !plan.unknown.is_empty() && policy == UnknownMigrationPolicy::Refuse => {
            Err(refusal(&revision.to_string(), &plan.unknown, &migration_log(surveys)))
        }
        _ => Ok(()),
    }
}

/// Refuses a complete build if the database has migrations unknown to the build. This check
/// precedes all migrations. Accepted migrations are recorded in the release.
///
/// # Errors
///
/// [`ErrorKind::Task`] with the migrations and the snapshot. The errors of a command.
pub(super) async fn check_build(rollout: &Rollout<'_>, policy: UnknownMigrationPolicy) -> Result<(), TaskError> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let Some((host, database)) = hosts.database()? else { return Ok(()) };
    let app = hosts.app(host, &target.release)?;
    let Some(unknown) = database.unknown_to(app, ReleaseAge::New).await? else { return Ok(()) };
    if unknown.is_empty() {
        return Ok(());
    }
    let accepted = accepted_by_live(&target.before);
    let refused: Vec<String> = unknown.iter().filter(|name| !accepted.contains(name.as_str())).cloned().collect();
    if !refused.is_empty() {
        // A first deploy has no live release, and its database may be from another tool.
        if target.had_live_release() && policy == UnknownMigrationPolicy::Refuse {
            return Err(refusal(&target.revision.to_string(), &refused, &migration_log(&target.before)).into());
        }
        let text = format!("the database has migrations unknown to {}: {}", target.revision, refused.join(", "));
        hosts.client().warn(None, text);
    }
    let unknown = unknown.join("\n");
    let recorded = hosts.group.each(|host| {
        let unknown = &unknown;
        async move {
            let layout = hosts.layouts.of(&host)?;
            let dir = match hosts.site.kind {
                SiteKind::Releases => layout.release(&target.release),
                SiteKind::InPlace => layout.private_dir(),
            };
            host.run(cmd!("printf '%s\\n' {unknown} > {dir}/{ACCEPTED_FILE}"))
                .named("record the unknown migrations")
                .await
        }
    });
    all_ok(recorded.await)?;
    Ok(())
}

/// Refuses a rollback if the database has migrations unknown to the release.
///
/// # Errors
///
/// [`ErrorKind::Task`] with the migrations and the snapshot, or if the release cannot be checked.
/// The errors of a command.
pub(super) async fn check_release(hosts: &ConnectedSite, surveys: &Surveys, release: &ReleaseId) -> Result<(), Error> {
    let Some((host, database)) = hosts.database()? else { return Ok(()) };
    let app = hosts.app(host, release)?;
    let Some(unknown) = database.unknown_to(app, ReleaseAge::Existing).await? else {
        let error = Error::new(ErrorKind::Task, format!("could not check the migrations of release {release}"));
        let hint = "check the release on the host, or skip this check: `.allow_unknown_migrations(true)`";
        return Err(error.hint(hint));
    };
    let log = migration_log(surveys);
    match UnknownMigrations::of(release, unknown, &accepted_by(surveys, release), &log) {
        None => Ok(()),
        Some(unknown) => Err(refusal(release.as_str(), &unknown.migrations, &log)),
    }
}

/// Returns the migrations unknown to the live release after a rollout: the target release if
/// `is_live`, or else the previous release. A failed check causes a warning. A dry run checks
/// nothing.
pub(super) async fn of_live_release(rollout: &Rollout<'_>, is_live: bool) -> Option<UnknownMigrations> {
    let hosts = rollout.hosts;
    let (_, database) = hosts.site.database.as_ref()?;
    if hosts.client().settings().mode == Mode::DryRun {
        return None;
    }
    // The recovery connections also work after a stop of the run.
    let recovery = rollout.recovery_hosts(|_| true);
    let (host, release) = database_hosts_first(&hosts.site, recovery.connections()).into_iter().find_map(|host| {
        let release = if is_live { Some(&rollout.target.release) } else { rollout.target.live_before(host) };
        Some((host, release?))
    })?;
    let unknown = match hosts.app(host, release) {
        Ok(app) => database.unknown_to(app, ReleaseAge::Existing).await,
        Err(error) => Err(error),
    };
    let why = match unknown {
        Ok(Some(unknown)) if unknown.is_empty() => return None,
        Ok(Some(unknown)) => {
            let surveys = hosts.survey_reachable(&recovery).await;
            return UnknownMigrations::of(release, unknown, &accepted_by(&surveys, release), &migration_log(&surveys));
        }
        Ok(None) => "the application cannot be loaded".to_owned(),
        Err(error) => error.message().to_owned(),
    };
    hosts.client().warn(host.host(), format!("could not check the migrations of release {release}: {why}"));
    None
}

/// Returns the unknown migrations accepted when the live releases went live.
fn accepted_by_live(surveys: &Surveys) -> HashSet<&str> {
    surveys.values().flat_map(Survey::accepted_by_live).map(String::as_str).collect()
}

/// Returns the unknown migrations accepted when a release went live.
fn accepted_by<'a>(surveys: &'a Surveys, release: &ReleaseId) -> HashSet<&'a str> {
    let found = surveys.values().filter_map(|survey| survey.releases.get(release));
    found.flat_map(|found| &found.accepted_migrations).map(String::as_str).collect()
}

/// Returns the hosts, with the database hosts first.
pub(super) fn database_hosts_first<'a>(site: &Site, hosts: &'a [Connection]) -> Vec<&'a Connection> {
    let mut hosts: Vec<&Connection> = hosts.iter().collect();
    if let Some((scope, _)) = &site.database {
        // An unknown role matches no host here. A deploy refuses the role before any change.
        hosts.sort_by_key(|host| !scope.or(&site.once_hosts).has(host).unwrap_or(false));
    }
    hosts
}

/// Merges the migration logs of all hosts in chronological order, since an earlier deploy may have
/// used another host.
pub(super) fn migration_log(surveys: &Surveys) -> Vec<MigrationLogEntry> {
    let mut log: Vec<MigrationLogEntry> = surveys.values().flat_map(|survey| &survey.migration_log).cloned().collect();
    log.sort_by(|one, other| one.started_at().cmp(other.started_at()));
    log
}

fn refusal(code: &str, migrations: &[String], log: &[MigrationLogEntry]) -> Error {
    let text = format!("the database has migrations unknown to {code}: {}", migrations.join(", "));
    let error = Error::new(ErrorKind::Task, text);
    let snapshot = MigrationLogEntry::snapshot_before(log, migrations);
    let restore = snapshot.map_or_else(String::new, |snapshot| format!("restore the database ({snapshot}), "));
    let restore = restore.replace('\n', ", ");
    error.hint(format!(
        "{restore}unapply the migrations with a release that contains them, or allow them: `.allow_unknown_migrations(true)`"
    ))
}
