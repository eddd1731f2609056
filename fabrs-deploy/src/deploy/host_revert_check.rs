//! Preflight checks for the revert of a host by itself.

use fabrs::{Error, ErrorKind, Hide, Host, TaskError};

use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::host_revert;
use crate::outcomes::all_ok;
use crate::release::{ReleaseId, SiteKind};
use crate::remote_script::with_arguments;
use crate::restart_command::{RestartCommand, RestartUser};

/// Prints each obstacle as one line. Arguments: the commands under sudo.
const CHECK_SCRIPT: &str = include_str!("host_revert_check.sh");

/// Checks the site without a command on a host: it has releases and no blue-green strategy, and a
/// host can run each restart step by itself.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for a site in place, for blue-green, and for a closure as a restart step.
pub(super) fn check_site(hosts: &ConnectedSite) -> Result<(), Error> {
    let site = &hosts.site;
    if site.revert_limit.is_none() {
        return Ok(());
    }
    if site.kind == SiteKind::InPlace {
        let text = "`revert_unless_confirmed` does not support `.in_place()`: a work tree has no previous release";
        return Err(Error::new(ErrorKind::Usage, text).hint("remove `.in_place()` or `.revert_unless_confirmed(..)`"));
    }
    if site.strategy.blue_green().is_some() {
        let text = "`revert_unless_confirmed` does not support blue-green: a host cannot switch the balancer by itself";
        return Err(Error::new(ErrorKind::Usage, text).hint("remove `BlueGreen` or `.revert_unless_confirmed(..)`"));
    }
    for host in hosts.group.connections() {
        host_revert::restart_commands(site, &hosts.app(host, &ReleaseId::default())?)?;
    }
    Ok(())
}

/// Returns the obstacles to the watchdog on each host, such as a password prompt of sudo.
///
/// # Errors
///
/// The errors of the commands. All commands only read.
pub(super) async fn obstacles(hosts: &ConnectedSite) -> Result<Vec<(Host, String)>, TaskError> {
    if hosts.site.revert_limit.is_none() {
        return Ok(Vec::new());
    }
    let checked = hosts.group.each(|host| async move {
        let restart = host_revert::restart_commands(&hosts.site, &hosts.app(&host, &ReleaseId::default())?)?;
        let sudo = restart.iter().filter(|command| command.user == RestartUser::Root);
        let script = with_arguments(sudo.map(RestartCommand::sudo_arguments), CHECK_SCRIPT);
        let check = host.probe(script).named("check the revert by the host").hide(Hide::Both);
        check.capture_all().await?.lines()
    });
    let lines = all_ok(checked.await)?.into_iter();
    Ok(lines.flat_map(|(host, lines)| lines.into_iter().map(move |line| (host.clone(), line))).collect())
}
