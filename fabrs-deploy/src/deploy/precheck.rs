//! Checks before a deploy: a host for each step, steps that are complete, and sudo.

use fabrs::{Error, ErrorKind};

use super::site_hosts::SiteHosts;
use crate::outcomes::all_ok;
use crate::step::Steps;

/// Checks that steps which run once have a host, and that all steps are complete for their hosts. It connects to nothing.
///
/// # Errors
///
/// [`ErrorKind::NoHost`] if a step that runs once has no host; [`ErrorKind::Usage`] if the environment has no such role; those of
/// the steps.
pub(super) fn check_steps(fleet: &SiteHosts, once: &[&Steps]) -> Result<(), Error> {
    let site = &fleet.site;
    if !once.is_empty() {
        fleet.first_of(&site.once_hosts)?;
    }
    for (scope, _) in once.iter().flat_map(|steps| steps.iter()) {
        fleet.first_of(scope.or(&site.once_hosts))?;
    }
    for scope in &site.scopes {
        match fleet.first_of(scope) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NoHost => {
                let text = format!("skipped the steps for {}: none of its hosts is in this deploy", scope.label());
                fleet.client().warn(None, text);
            }
            Err(error) => return Err(error),
        }
    }
    for (scope, step) in [&site.build, &site.restart, &site.health].into_iter().flat_map(Steps::iter) {
        for host in fleet.hosts.connections() {
            if scope.has(host)? {
                step.check(host)?;
            }
        }
    }
    Ok(())
}

/// Runs the checks of the site on all hosts. Under sudo they count as changes, so they follow the approval.
///
/// # Errors
///
/// As any command.
pub(super) async fn check_hosts(fleet: &SiteHosts) -> Result<(), Error> {
    let prechecks = &fleet.site.host_checks;
    if prechecks.is_empty() {
        return Ok(());
    }
    let checked = fleet.hosts.each(|host| async move {
        for (scope, precheck) in prechecks {
            if scope.has(&host)? {
                precheck.run(host.clone()).await?;
            }
        }
        Ok::<_, Error>(())
    });
    all_ok(checked.await)?;
    Ok(())
}
