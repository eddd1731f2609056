//! The revert of a host by itself: a watchdog on the host, started before the switch and removed by
//! the confirmation.
//!
//! The watchdog (`revert_watchdog.sh`) compares the lock of the site with the lock of the run. The
//! limit starts when the host loses the run. A long rollout therefore needs no longer limit.

use fabrs::config::Mode;
use fabrs::{Connection, Error, ErrorKind, TaskError, cmd};
use serde_json::json;

use crate::deploy::approval_rule::ApprovalRule;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::outcomes::all_ok;
use crate::release::{BadMark, HOST_REVERT_DIR, HostRevert};
use crate::remote_script::with_arguments;
use crate::restart_command::RestartCommand;
use crate::revert_limit::RevertLimit;
use crate::site::Site;
use crate::step::App;

/// Starts the watchdog. Arguments: the directory of the site, and the settings of the watchdog.
const ARM_SCRIPT: &str = include_str!("arm_revert.sh");

/// The watchdog. Settings: files in `HOST_REVERT_DIR`.
const WATCHDOG_SCRIPT: &str = include_str!("revert_watchdog.sh");

/// The text replaced by the time of the revert on the host.
const NOW: &str = "@NOW@";

/// Returns the rule in the approval, for a site with a limit.
pub(super) fn approval_rule(site: &Site) -> Option<ApprovalRule> {
    let limit = site.revert_limit?;
    Some(ApprovalRule::new(
        "revert",
        format!("each host by itself, {limit} after the run is cut off, unless confirmed"),
    ))
}

/// Returns the restart steps of a host as commands that the host can run by itself.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for a step without such a command.
pub(super) fn restart_commands(site: &Site, app: &App) -> Result<Vec<RestartCommand>, Error> {
    let mut commands = Vec::new();
    for (scope, step) in site.restart.iter() {
        if scope.has(app.connection())? {
            commands.push(step.host_command(app).ok_or_else(|| {
                let text = "a restart step is a closure, and a host cannot run a closure by itself: \
                            `revert_unless_confirmed` needs a command";
                Error::new(ErrorKind::Usage, text)
                    .hint("use `Systemd`, `Supervisor`, `Gunicorn`, or `.restart(RestartCommand::sudo(\"..\"))`")
            })?);
        }
    }
    Ok(commands)
}

/// Prepares the switch of a host: starts the watchdog of this run, or removes the watchdog of an
/// earlier run.
///
/// # Errors
///
/// The errors of the command.
pub(super) async fn arm(rollout: &Rollout<'_>, host: &Connection) -> Result<(), Error> {
    // A repeated promotion finds its release live. The watchdog of the earlier run still has the
    // release before, and the confirmation removes this watchdog.
    if rollout.target.live_before(host) == Some(&rollout.target.release) {
        return Ok(());
    }
    let earlier = rollout.target.before(host).and_then(|survey| survey.host_revert.as_ref());
    // A run cut off before its switch leaves a watchdog without a release to revert.
    let is_live = |revert: &&HostRevert| rollout.target.live_before(host) == Some(&revert.release);
    // A dry run has no lock. Its holder is then another run, and may still confirm the release.
    let is_planned = rollout.hosts.client().settings().mode != Mode::Run;
    let is_other_active = is_planned && rollout.target.before(host).is_some_and(|survey| survey.lock_holder.is_some());
    let pending = earlier.filter(|revert| revert.is_unconfirmed() && !is_other_active).filter(is_live);
    if let Some(revert) = pending {
        let text = format!("this run cancels the pending revert of release {}, left by an earlier run", revert.release);
        rollout.hosts.client().note(host.host(), text);
    }
    match (rollout.hosts.site.revert_limit, earlier) {
        (Some(limit), _) => start_watchdog(rollout, host, limit).await,
        (None, Some(_)) => remove_state(rollout, host, "remove the revert watchdog").await,
        (None, None) => Ok(()),
    }
}

async fn start_watchdog(rollout: &Rollout<'_>, host: &Connection, limit: RevertLimit) -> Result<(), Error> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let (release, before) = (&target.release, target.live_before(host));
    let restart = match before {
        Some(before) => restart_commands(&hosts.site, &hosts.app(host, before)?)?,
        // Without a previous release, there is no code for the services.
        None => Vec::new(),
    };
    let restart: Vec<String> = restart.iter().map(|command| format!("{} || exit", command.host_line())).collect();
    let reason = format!("not confirmed within {limit}: reverted by the host");
    let bad = match target.origin {
        ReleaseOrigin::ThisRun | ReleaseOrigin::Held => {
            let mark = BadMark::new(target.by.clone(), reason.as_str());
            BadMark { at: NOW.to_owned(), ..mark }.to_json_line()
        }
        // As in a revert by the run: the target of a rollback stays good.
        ReleaseOrigin::EarlierRun => String::new(),
    };
    let purpose = format!("revert of the unconfirmed release {release}");
    let locked = json!({ "by": target.by, "since": NOW, "what": purpose, "token": "" }).to_string();
    let entry = match before {
        Some(before) => format!("{release} reverted to release {before} by the host: not confirmed"),
        None => format!("{release} removed by the host: not confirmed"),
    };
    let script = with_arguments(
        [
            hosts.layouts.of(host)?.root(),
            &target.run.to_string(),
            release.as_str(),
            before.map_or("", |before| before.as_str()),
            &limit.seconds().to_string(),
            &locked,
            &entry,
            &bad,
            &restart.join("\n"),
            WATCHDOG_SCRIPT,
        ],
        ARM_SCRIPT,
    );
    let start = host.run(rollout.under_lock(host, script)?);
    start.named(format!("start the revert watchdog of {release}")).await?;
    Ok(())
}

/// Confirms the target release on all hosts in parallel. From then on, the hosts keep the release
/// without the run.
///
/// # Errors
///
/// The errors of the commands. The caller reverts the rollout: a host without a connection reverts
/// by itself.
pub(super) async fn confirm(rollout: &Rollout<'_>) -> Result<(), TaskError> {
    if rollout.hosts.site.revert_limit.is_none() {
        return Ok(());
    }
    rollout.set_phase("confirm");
    rollout.begin_confirmation();
    let name = format!("confirm {}", rollout.target.release);
    let confirmed = rollout.hosts.group.each(|host| {
        let name = &name;
        async move { remove_state(rollout, &host, name).await }
    });
    all_ok(confirmed.await).map_err(|error| {
        let text = format!("could not confirm {} on every host", rollout.target.release);
        TaskError::from(error).context(text)
    })?;
    Ok(())
}

/// Announces a revert by the run: if the run is cut off during the revert, the host completes the
/// revert.
///
/// # Errors
///
/// The errors of the command.
pub(super) async fn begin_revert(rollout: &Rollout<'_>, host: &Connection) -> Result<(), Error> {
    if rollout.hosts.site.revert_limit.is_none() || rollout.target.keeps_watchdog(host) {
        return Ok(());
    }
    let root = rollout.hosts.layouts.of(host)?.root();
    let line = cmd!("[ ! -d {root}/{HOST_REVERT_DIR} ] || : > {root}/{HOST_REVERT_DIR}/reverting");
    host.run(rollout.under_lock(host, line)?).named("record the revert").await?;
    Ok(())
}

/// Removes the watchdog of a host after a revert by the run.
///
/// # Errors
///
/// The errors of the command.
pub(super) async fn end_revert(rollout: &Rollout<'_>, host: &Connection) -> Result<(), Error> {
    match rollout.hosts.site.revert_limit {
        Some(_) if !rollout.target.keeps_watchdog(host) => {
            remove_state(rollout, host, "remove the revert watchdog").await
        }
        _ => Ok(()),
    }
}

/// Removes the settings of the watchdog. The watchdog process then ends within a second.
async fn remove_state(rollout: &Rollout<'_>, host: &Connection, name: &str) -> Result<(), Error> {
    let root = rollout.hosts.layouts.of(host)?.root();
    // The removal of `run` cancels the revert, also if the rest of the removal is interrupted.
    let line = cmd!("rm -f {root}/{HOST_REVERT_DIR}/run && rm -rf {root}/{HOST_REVERT_DIR}");
    host.run(rollout.under_lock(host, line)?).named(name).await?;
    Ok(())
}
