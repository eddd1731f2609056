//! Checks sudo before the run, on the hosts of tasks with `sudo`.

use std::collections::{HashMap, HashSet};

use crate::client::Client;
use crate::config::OnFailure;
use crate::error::Error;
use crate::group::{Outcome, Strategy, run_on_hosts};
use crate::host::Host;
use crate::plan::{Plan, StageHosts};

/// Checks sudo on all hosts of tasks with `sudo`, and returns the failed hosts with their outcomes.
///
/// All hosts are checked, also after a failure, so a single run shows all problems.
pub(super) async fn check_sudo(plan: &Plan, client: &Client) -> HashMap<Host, Outcome<()>> {
    let declaring = plan.stages().iter().filter(|stage| stage.call.task().sudo);
    let mut seen = HashSet::new();
    let mut hosts = Vec::new();
    for stage in declaring {
        let StageHosts::Remote(named) = &stage.hosts else { continue };
        let new = named.iter().filter(|host| seen.insert((*host).clone()));
        hosts.extend(new.map(|host| (host.clone(), client.connect(host))));
    }
    let strategy = Strategy { on_failure: OnFailure::Continue, ..Strategy::of(client.settings()) };
    let outcomes = run_on_hosts(hosts, strategy, client.stop().clone(), |connection| async move {
        // The command has no location in the user's code.
        connection.validate_sudo().await.map_err(Error::without_location)?;
        Ok(())
    });
    outcomes.await.into_iter().filter(|(_, outcome)| !outcome.is_ok()).collect()
}
