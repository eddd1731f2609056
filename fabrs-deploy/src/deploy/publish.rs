//! Putting a release live that is built everywhere: switched on all hosts at once, then taken up batch by batch.

use std::num::NonZeroUsize;

use fabrs::{Connection, Error, TaskError, cmd};

use super::begin::Coming;
use super::site_hosts::SiteHosts;
use super::standing::Place;
use crate::outcomes::{all_ok, label};
use crate::release::{ReleaseId, SiteKind, VERIFIED_FILE};

/// Puts the release live on all hosts.
///
/// # Errors
///
/// What failed on which host; where all of them stand is in the standing of the fleet.
pub(super) async fn publish(fleet: &SiteHosts, coming: &Coming) -> Result<(), TaskError> {
    let release = &coming.release;
    let line = &coming.log_line();
    fleet.client().note(None, format!("switching {} to {release}", fleet.label()));
    fleet.phase("switch");
    let switched = fleet.hosts.each(|host| async move {
        // From here on, the processes in the folder may be services, which outlive the run.
        fleet.works_in(&host, "");
        fleet.standing.set(&host, Place::Switching(release.to_string()));
        switch(fleet, &host, release, line).await?;
        fleet.standing.set(&host, Place::Switched(release.to_string()));
        Ok::<_, Error>(())
    });
    all_ok(switched.await)?;
    take_up_in_batches(fleet, release, &release.to_string()).await
}

/// Has the services of all hosts take up what is switched, batch by batch: the next begins when all of one work.
///
/// # Errors
///
/// What failed on which host.
pub(super) async fn take_up_in_batches(fleet: &SiteHosts, release: &ReleaseId, name: &str) -> Result<(), TaskError> {
    fleet.phase("reload");
    for batch in fleet.hosts.batches(fleet.site.batch_size.unwrap_or(NonZeroUsize::MAX)) {
        fleet.client().note(None, format!("reloading services on {}", label(batch.connections())));
        let taken_up = batch.each(|host| async move {
            take_up(fleet, &host, release).await?;
            fleet.standing.set(&host, Place::Live(name.to_owned()));
            Ok::<_, TaskError>(())
        });
        all_ok(taken_up.await)?;
    }
    Ok(())
}

/// Has `current` lead to a release, in one step, and notes that in the log.
pub(super) async fn switch(fleet: &SiteHosts, host: &Connection, release: &ReleaseId, line: &str) -> Result<(), Error> {
    let layout = fleet.layouts.of(host)?;
    let (root, log) = (layout.root(), layout.revision_log());
    let switch = cmd!(
        "cd {root} && ln -sfn releases/{release} .current-{release} && mv -T .current-{release} current || exit; \
         printf '%s\\n' {line} >> {log} || :"
    );
    let switch = host.run(fleet.atomic(host, switch)?);
    switch.named(format!("switch current to {release} (mv -T)")).await?;
    Ok(())
}

/// Has the services of a host take up a release, and sees that they work.
pub(super) async fn take_up(fleet: &SiteHosts, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let app = fleet.app(host, release)?;
    fleet.site.restart.run(&app).await?;
    fleet.site.health.run(&app).await?;
    if fleet.site.kind == SiteKind::Releases {
        let folder = app.release_dir();
        host.run(cmd!("touch {folder}/{VERIFIED_FILE}")).named(format!("mark {release} as working")).await?;
    }
    Ok(())
}
