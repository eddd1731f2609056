//! Preflight checks: hosts, steps and sudo, before a deploy or a rollback changes anything.

use fabrs::config::{Confirmation, Environment};
use fabrs::{Connection, Error, ErrorKind, Host, TaskError};

use crate::deploy::connected_site::{ConnectedSite, Surveys};
use crate::deploy::{blue_green, drain, host_revert_check, readiness};
use crate::outcomes::all_ok;
use crate::release::{CurrentLink, ReleaseId};
use crate::step::Steps;

/// An obstacle on a host.
pub(super) type Obstacle = (Host, String);

/// Refuses a deploy if the survey of a host shows an obstacle: a manual lock, changed or missing
/// files, or a `current` without a link to a release.
///
/// # Errors
///
/// [`ErrorKind::Task`] with every obstacle on every host.
pub(super) fn check_surveys(hosts: &ConnectedSite, surveys: &Surveys) -> Result<(), Error> {
    refuse(&survey_obstacles(hosts, surveys))
}

/// Refuses a deploy if a host has too little space or lacks a program, or if the database cannot be
/// reached. A wrong clock and a missing unit are warnings.
///
/// # Errors
///
/// [`ErrorKind::Task`] with every obstacle on every host. The error of the database.
pub(super) async fn check_readiness(hosts: &mut ConnectedSite, surveys: &Surveys) -> Result<(), TaskError> {
    let readiness = readiness::probe(hosts, surveys).await?;
    let mut obstacles = Vec::new();
    for (host, ready) in &readiness {
        obstacles.extend(ready.obstacles().map(|text| (host.clone(), text)));
        ready.warnings().for_each(|text| hosts.client().warn(Some(host), text));
    }
    refuse(&obstacles)?;
    check_database(hosts).await?;
    let least = readiness.values().map(|ready| ready.free).min_by_key(|free| free.kib);
    hosts.set_least_free_space(least.map(|free| free.without_inodes().to_string()));
    hosts.set_space_to_free(
        readiness.into_iter().filter_map(|(host, ready)| Some((host, ready.space_to_free()?))).collect(),
    );
    Ok(())
}

/// Checks that the database can be reached.
///
/// # Errors
///
/// The error of the database.
pub(super) async fn check_database(hosts: &ConnectedSite) -> Result<(), TaskError> {
    let Some((host, database)) = hosts.database()? else { return Ok(()) };
    database.preflight(hosts.app(host, &ReleaseId::default())?).await
}

/// Returns the obstacles in the surveys.
pub(super) fn survey_obstacles(hosts: &ConnectedSite, surveys: &Surveys) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    for host in hosts.group.connections().iter().filter_map(Connection::host) {
        let Some(survey) = surveys.get(host) else { continue };
        let (current, shared) = (survey.layout.current(), survey.layout.shared());
        obstacles.extend(survey.manual_lock.iter().map(|lock| (host.clone(), lock.to_string())));
        let changed = |file| (host.clone(), format!("`{file}` has local changes, which a deploy would overwrite"));
        obstacles.extend(survey.dirty.iter().map(changed));
        match &survey.current {
            CurrentLink::NotALink => obstacles.push((host.clone(), format!("`{current}` is not a symlink"))),
            CurrentLink::Foreign(to) => {
                obstacles.push((host.clone(), format!("`{current}` links to `{to}`, which is not a release")));
            }
            CurrentLink::Missing | CurrentLink::Release(_) => {}
        }
        obstacles.extend(survey.missing.iter().map(|file| (host.clone(), format!("`{shared}/{file}` is missing"))));
    }
    obstacles
}

/// Returns an error with all obstacles.
///
/// # Errors
///
/// [`ErrorKind::Task`] if there is an obstacle.
pub(super) fn refuse(obstacles: &[Obstacle]) -> Result<(), Error> {
    if obstacles.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = obstacles.iter().map(|(host, text)| format!("{}: {text}", Host::label(host))).collect();
    let text = format!("hosts are not ready (nothing was changed):\n{}", lines.join("\n"));
    let error = Error::new(ErrorKind::Task, text);
    let has_missing = obstacles.iter().any(|(_, text)| text.ends_with("is missing"));
    Err(if has_missing { error.hint("create the linked files in `shared` on each host") } else { error })
}

/// Checks the steps of the site without a connection: each once-only step has a host, and each
/// build, restart and health step and each hook has all settings for its hosts.
///
/// # Errors
///
/// [`ErrorKind::NoHost`] if a once-only step has no host. [`ErrorKind::Usage`] if the environment
/// has no such role. As [`DeployStep::check`](crate::DeployStep::check).
pub(super) fn check_steps(hosts: &ConnectedSite, once: &[&Steps]) -> Result<(), Error> {
    let site = &hosts.site;
    host_revert_check::check_site(hosts)?;
    if !once.is_empty() {
        hosts.first_of(&site.once_hosts)?;
    }
    for (scope, _) in once.iter().flat_map(|steps| steps.iter()) {
        hosts.first_of(scope.or(&site.once_hosts))?;
    }
    for scope in &site.scopes {
        match hosts.first_of(scope) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NoHost => {
                let text = format!("skipped the steps for {}: none of its hosts is selected", scope.label());
                hosts.client().warn(None, text);
            }
            Err(error) => return Err(error),
        }
    }
    let steps = [&site.build, &site.restart, &site.health].into_iter().chain(site.hooks.on_each_host());
    for (scope, step) in steps.flat_map(Steps::iter) {
        for host in hosts.group.connections() {
            if scope.has(host)? {
                step.check(host)?;
            }
        }
    }
    Ok(())
}

/// Runs the host checks of the site, such as sudo, on all hosts. A command under sudo counts as a
/// change, so these checks follow the approval. Then checks the balancer of the site.
///
/// # Errors
///
/// The errors of the checks.
pub(super) async fn check_hosts(hosts: &ConnectedSite, surveys: &Surveys) -> Result<(), TaskError> {
    let obstacles = host_revert_check::obstacles(hosts).await?;
    refuse(&obstacles).map_err(|error| {
        error.hint("fix the reasons above (for sudo: a rule with `NOPASSWD`), or remove `.revert_unless_confirmed(..)`")
    })?;
    check_sudo(hosts).await?;
    drain::preflight(hosts, surveys).await?;
    blue_green::preflight(hosts).await
}

async fn check_sudo(hosts: &ConnectedSite) -> Result<(), Error> {
    let checks = &hosts.site.host_checks;
    if checks.is_empty() {
        return Ok(());
    }
    let checked = hosts.group.each(|host| async move {
        for (scope, check) in checks {
            if scope.has(&host)? {
                check.run(host.clone()).await?;
            }
        }
        Ok::<_, Error>(())
    });
    all_ok(checked.await)?;
    Ok(())
}

/// Surveys all hosts again under the lock, since another run may have changed them after the
/// approval.
///
/// # Errors
///
/// [`ErrorKind::Prompt`] if a person or a fingerprint approved the changes, and the live release of
/// a host has changed since the approval. The error names the first such host.
pub(super) async fn survey_again(hosts: &ConnectedSite, shown: &Surveys) -> Result<Surveys, Error> {
    let before = hosts.survey().await?;
    let client = hosts.client();
    let is_protected = client.inventory().environment().is_some_and(Environment::is_protected);
    let was_approved = match client.settings().confirmation {
        Confirmation::Prompt => is_protected,
        Confirmation::AssumeYes => false,
        _ => true,
    };
    let changed =
        before.iter().find(|(host, survey)| shown.get(*host).is_some_and(|shown| shown.current != survey.current));
    match changed {
        Some((host, _)) if was_approved => {
            let error =
                Error::new(ErrorKind::Prompt, "another release went live after the approval: this run changed nothing");
            Err(error.on(host).hint("review the pending changes again"))
        }
        _ => Ok(before),
    }
}
