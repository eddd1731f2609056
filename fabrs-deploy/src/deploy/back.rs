//! Taking a deploy back: over sessions that a stop of the run leaves open.

use fabrs::{Connection, Error, ErrorKind, Group, Outcomes, TaskError, cmd};

use super::begin::{Coming, Made};
use super::publish::{switch, take_up};
use super::site_hosts::SiteHosts;
use super::standing::Place;
use crate::release::{BAD_FILE, BadMark, ReleaseId};

/// Removes a release from hosts on which it is not live, where it was made for this deploy.
async fn remove_from(fleet: &SiteHosts, coming: &Coming, hosts: &Group) {
    if coming.made == Made::Before {
        return;
    }
    let removed = hosts.each(|host| async move {
        let (root, release) = (fleet.layouts.of(&host)?.root(), &coming.release);
        // Renamed first: of one that is cut off while it is removed nobody must think that it is whole, or another tool's.
        host.run(cmd!(
            "cd {root}/releases && if [ -e {release} ]; then mv {release} .gone-{release}; fi && rm -rf .gone-*"
        ))
        .await
    });
    for (host, outcome) in &removed.await {
        // A host that could not be reached in the first place is told of already; the next deploy removes what is left there.
        if let Some(error) = outcome.error() {
            fleet.client().warn(Some(host), format!("could not remove the release again: {}", error.message()));
        }
    }
}

/// Removes a release that never went live.
pub(super) async fn remove(fleet: &SiteHosts, coming: &Coming) {
    remove_from(fleet, coming, &fleet.aside(|_| true)).await;
}

/// Puts every host back on the release that it had, and returns the error with where all of them stand.
pub(super) async fn take_back(fleet: &SiteHosts, coming: &Coming, error: Error) -> Error {
    let changed = fleet.aside(|host| fleet.standing.is_changed(host));
    if changed.connections().is_empty() && !fleet.hosts.connections().iter().any(|host| fleet.standing.is_changed(host))
    {
        remove(fleet, coming).await;
        return error;
    }
    fleet.client().note(None, format!("taking back {}: {}", coming.release, error.message()));
    fleet.phase("revert");
    let back = changed.each(|host| async move {
        let before = coming.live(&host);
        match before {
            Some(before) => {
                let line = format!("{} taken back to release {before} by {}", coming.release, coming.by);
                switch(fleet, &host, before, &line).await?;
                fleet.standing.set(&host, Place::Returning(before.to_string()));
                take_up(fleet, &host, before).await?;
                fleet.standing.set(&host, Place::Back(before.to_string()));
            }
            None => {
                let current = fleet.layouts.of(&host)?.current();
                host.run(fleet.atomic(&host, cmd!("rm -f {current}"))?).await?;
                fleet.standing.set(&host, Place::BackOnNothing);
            }
        }
        Ok::<_, TaskError>(())
    });
    let back = back.await;
    warn_of_stuck(fleet, &back);
    // That somebody has stopped it, or a host was lost, is no fault of the release.
    if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Channel | ErrorKind::Connect) {
        remove_from(fleet, coming, &fleet.aside(|host| fleet.standing.is_as_before(host))).await;
    } else if coming.made == Made::Now {
        mark(fleet, coming, &error).await;
    }
    fleet.client().note(None, fleet.standing.table(fleet));
    match back.failed().next() {
        None => error,
        Some(_) => error.hint("the table above says which hosts could not be taken back; deploy again to mend them"),
    }
}

/// Warns of hosts that could not be taken back.
pub(super) fn warn_of_stuck(fleet: &SiteHosts, back: &Outcomes<()>) {
    for (host, outcome) in back.failed() {
        let why = outcome.error().map_or_else(|| outcome.word().as_str().to_owned(), |error| error.block().to_string());
        fleet.client().warn(Some(host), format!("could not be taken back: {why}"));
    }
}

/// Says in the release that it is bad, so that nobody rolls back to it.
async fn mark(fleet: &SiteHosts, coming: &Coming, error: &Error) {
    let bad = BadMark::new(coming.by.clone(), fleet.client().redacted(&reason(error)));
    let hosts = fleet.aside(|_| true);
    let marked = hosts.each(|host| {
        let bad = bad.to_json_line();
        async move { mark_one(fleet, &host, &coming.release, &bad).await }
    });
    warn_of_unmarked(fleet, &marked.await);
}

/// Returns why it failed, in a line: of several hosts what the first of them says.
fn reason(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{}: {}", error.message(), cause.to_string().lines().next().unwrap_or_default()),
        None => error.message().to_owned(),
    }
}

/// Says in the releases that a rollback has left that they are bad: each host may have had another.
pub(super) async fn mark_left(fleet: &SiteHosts, coming: &Coming) {
    let bad = BadMark::new(coming.by.clone(), format!("rolled back to {}", coming.release));
    let marked = fleet.hosts.each(|host| {
        let bad = bad.to_json_line();
        async move {
            match coming.live(&host).filter(|left| **left > coming.release) {
                Some(left) => mark_one(fleet, &host, left, &bad).await,
                None => Ok(()),
            }
        }
    });
    warn_of_unmarked(fleet, &marked.await);
}

async fn mark_one(fleet: &SiteHosts, host: &Connection, release: &ReleaseId, bad: &str) -> Result<(), Error> {
    let folder = fleet.layouts.of(host)?.release(release);
    host.run(cmd!("if [ -d {folder} ]; then printf '%s\\n' {bad} > {folder}/{BAD_FILE}; fi")).await?;
    Ok(())
}

fn warn_of_unmarked(fleet: &SiteHosts, marked: &Outcomes<()>) {
    for (host, outcome) in marked {
        if let Some(error) = outcome.error() {
            fleet.client().warn(Some(host), format!("could not mark the release as bad: {}", error.message()));
        }
    }
}
