//! Putting a release live that is built everywhere: switched on all hosts at once, then taken up batch by batch.

use std::num::NonZeroUsize;

use fabrs::{Connection, Error, TaskError, cmd};

use super::begin::Coming;
use super::fleet::Fleet;
use super::standing::Place;
use crate::hosts::{all_ok, label};
use crate::release::{Kind, Layout, ReleaseId, WORKS};

/// Puts the release live on all hosts.
///
/// # Errors
///
/// What failed on which host; where all of them stand is in the standing of the fleet.
pub(super) async fn publish(fleet: &Fleet, coming: &Coming) -> Result<(), TaskError> {
    let release = &coming.release;
    let line = &coming.log_line();
    fleet.client().note(None, format!("switching {} to {release}", fleet.label()));
    let switched = fleet.hosts.each(|host| async move {
        fleet.at_work.over(&host);
        fleet.standing.set(&host, Place::Switching(release.to_string()));
        switch(&host, fleet.layouts.of(&host)?, release, line).await?;
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
pub(super) async fn take_up_in_batches(fleet: &Fleet, release: &ReleaseId, name: &str) -> Result<(), TaskError> {
    for batch in fleet.hosts.batches(fleet.site.batch.unwrap_or(NonZeroUsize::MAX)) {
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
pub(super) async fn switch(host: &Connection, layout: &Layout, release: &ReleaseId, line: &str) -> Result<(), Error> {
    let (root, log) = (layout.root(), layout.log());
    host.run(cmd!(
        "cd {root} && ln -sfn releases/{release} .current-{release} && mv -T .current-{release} current || exit; \
         printf '%s\\n' {line} >> {log} || :"
    ))
    .await?;
    Ok(())
}

/// Has the services of a host take up a release, and sees that they work.
pub(super) async fn take_up(fleet: &Fleet, host: &Connection, release: &ReleaseId) -> Result<(), TaskError> {
    let app = fleet.app(host, release)?;
    fleet.site.reload.run(&app).await?;
    fleet.site.verify.run(&app).await?;
    if fleet.site.kind == Kind::Releases {
        let folder = app.folder();
        host.run(cmd!("touch {folder}/{WORKS}")).await?;
    }
    Ok(())
}
