//! The revert of a failed rollout: switched hosts return to their previous release, and the failed
//! release is removed or marked as bad.
//!
//! The command for a rollback, `deploy:rollback` of Capistrano, is in `rollback.rs`.
//!
//! All commands use connections unaffected by a stop of the run.

use fabrs::{Connection, Error, ErrorKind, Group, Host, Outcomes, TaskError};

use crate::deploy::host_state::HostState;
use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::deploy::{
    bad_mark, blue_green, blue_green_switch, build, drain, health_check, host_revert, restart, revert_drain, switch,
    watch,
};
use crate::release::SiteKind;

/// Reverts every switched host, and returns the error of the rollout. Hosts without the lock are
/// not changed.
pub(super) async fn revert(rollout: &Rollout<'_>, error: Error) -> Error {
    let client = rollout.hosts.client();
    blue_green_switch::switch_back(rollout).await;
    if rollout.blue_green.is_switched_back() {
        blue_green::stop_changed_sides(rollout).await;
    }
    let is_cancelled = error.kind() == ErrorKind::Cancelled;
    if rollout.states.all(|state| state == HostState::Unchanged) {
        remove_release(rollout, |_| true).await;
        revert_drain::undrain_unchanged(rollout).await;
        let note = "no host was switched to the new release";
        client.note(None, if is_cancelled { format!("cancelled: {note}") } else { note.to_owned() });
        return error;
    }
    let name = rollout.target_name();
    // The message of a stopped run names a command only because the command was stopped.
    client.note(
        None,
        if is_cancelled {
            format!("cancelled: reverting {name}")
        } else {
            format!("reverting {name}: {}", error.message())
        },
    );
    rollout.set_phase("revert");
    revert_drain::undrain_unchanged(rollout).await;
    let switched = rollout.recovery_hosts(|host| rollout.states.of(host).needs_revert());
    let phase = rollout.hosts.unplanned_phase("revert", switched.connections());
    let failed = revert_hosts(rollout, switched).await;
    if failed == 0 {
        phase.done("");
    } else {
        drop(phase);
    }
    // A stop of the run, a lost host and a gate without a result are not the fault of the release.
    let is_unproven = matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Channel | ErrorKind::Connect);
    if is_unproven || watch::is_inconclusive(&error) {
        remove_release(rollout, HostState::is_as_before).await;
    } else if rollout.target.origin != ReleaseOrigin::EarlierRun && rollout.hosts.site.kind == SiteKind::Releases {
        bad_mark::mark_target(rollout, &error).await;
    }
    client.note(None, rollout.state_table());
    match failed {
        0 => error,
        _ => error.hint("the revert of some hosts failed, see the table above: deploy again to repair them"),
    }
}

/// Reverts hosts, in groups behind a balancer. Returns the number of failed hosts, after a warning
/// for each of them.
async fn revert_hosts(rollout: &Rollout<'_>, mut hosts: Group) -> usize {
    let mut failed = 0;
    while !hosts.connections().is_empty() {
        let next = revert_drain::next_hosts(rollout, &hosts).await;
        let is_next = |host: &Connection| next.connections().iter().any(|next| next.host() == host.host());
        hosts = hosts.filter(|host| !is_next(host));
        let reverted = next.each(|host| async move { revert_host(rollout, &host).await }).await;
        warn_of_failures(rollout, &next, &reverted);
        failed += reverted.failed().count();
    }
    failed
}

async fn revert_host(rollout: &Rollout<'_>, host: &Connection) -> Result<(), TaskError> {
    if let Some(strategy) = rollout.hosts.site.strategy.blue_green() {
        return blue_green::revert_host(rollout, strategy, host).await;
    }
    revert_drain::drain_host(rollout, host).await;
    let Some(release) = switch::to_live_before(rollout, host).await? else {
        return Ok(host_revert::end_revert(rollout, host).await?);
    };
    let checked = async {
        restart::restart(rollout, host, &release).await?;
        health_check::check(rollout, host, &release).await?;
        drain::undrain(rollout, host, &release).await
    };
    let checked = checked.await;
    // After a failed restart, the host could only repeat the restart.
    checked.and(host_revert::end_revert(rollout, host).await.map_err(TaskError::from))
}

/// Removes the release from the hosts in the selected states. A work tree has no releases.
async fn remove_release(rollout: &Rollout<'_>, is_selected: impl Fn(HostState) -> bool) {
    if rollout.hosts.site.kind == SiteKind::Releases {
        // A side that still runs needs its release.
        let is_removable =
            |host: &Connection| is_selected(rollout.states.of(host)) && !rollout.blue_green.is_changed(host);
        let hosts = rollout.recovery_hosts(is_removable);
        build::remove(rollout, &hosts).await;
    }
}

/// Warns about each failed host of a group.
fn warn_of_failures(rollout: &Rollout<'_>, hosts: &Group, reverted: &Outcomes<()>) {
    for (host, outcome) in reverted.failed() {
        let connection = hosts.connections().iter().find(|connection| connection.host() == Some(host));
        let state = connection.map_or(HostState::Reverting, |connection| rollout.states.of(connection));
        let result = failure_text(state, rollout.hosts.site.kind);
        let why = outcome.error().map_or_else(|| outcome.kind().as_str().to_owned(), |error| reason(host, error));
        rollout.hosts.client().warn(Some(host), format!("{result}: {why}"));
    }
}

/// Returns the state of a host after its failed revert.
fn failure_text(state: HostState, kind: SiteKind) -> &'static str {
    match (state, kind) {
        (HostState::SwitchedBack | HostState::Reverted, SiteKind::Releases) => {
            "`current` is back, but a step of the revert failed"
        }
        (HostState::SwitchedBack | HostState::Reverted, SiteKind::InPlace) => {
            "the work tree is back, but a step of the revert failed"
        }
        (HostState::Emptied, _) => "`current` is removed, but a step of the revert failed",
        (
            HostState::Unchanged
            | HostState::Switching
            | HostState::Switched
            | HostState::Held
            | HostState::Promoted
            | HostState::Reverting,
            _,
        ) => "could not be reverted",
    }
}

/// Returns an error with its details, without the name of the host: the warning has the name.
fn reason(host: &Host, error: &Error) -> String {
    let block = error.block().to_string();
    let text = block.strip_prefix("error: ").unwrap_or(&block);
    text.strip_prefix(&format!("{}: ", host.label())).unwrap_or(text).to_owned()
}
