//! What must be so before a deploy changes anything: a host for each part of the site, and sudo where it is used.

use fabrs::{Error, ErrorKind};

use super::fleet::Fleet;
use crate::hosts::all_ok;

/// Checks that each step has a host, and each host what its steps need.
///
/// # Errors
///
/// [`ErrorKind::NoHost`] if a step that runs once has no host; [`ErrorKind::Usage`] if the environment has no such role; as any
/// command.
pub(super) async fn check(fleet: &Fleet) -> Result<(), Error> {
    let (site, client) = (&fleet.site, fleet.client());
    fleet.first()?;
    let once = [&site.once, &site.afterwards, &site.guard];
    for (scope, _) in once.iter().flat_map(|steps| steps.iter()) {
        fleet.first_of(scope.or(&site.once_hosts))?;
    }
    for scope in &site.scopes {
        match fleet.first_of(scope) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NoHost => {
                let hosts = scope.label(client)?;
                client.warn(
                    None,
                    format!("no deployed host is in the part of the site for {hosts}: its steps are skipped"),
                );
            }
            Err(error) => return Err(error),
        }
    }
    let checked = fleet.hosts.each(|host| async move {
        for (scope, precheck) in &site.prechecks {
            if scope.has(&host)? {
                precheck.run(host.clone()).await?;
            }
        }
        Ok::<_, Error>(())
    });
    all_ok(checked.await)?;
    Ok(())
}
