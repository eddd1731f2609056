//! A deploy into a work tree that is live itself: fetched on every host, moved on all at once, and moved back where it fails.

use fabrs::{Connection, Error, ErrorKind, Hide, TaskError, cmd};

use super::back::warn_of_stuck;
use super::begin::Coming;
use super::publish::{take_up, take_up_in_batches};
use super::site_hosts::SiteHosts;
use super::standing::Place;
use super::state::{MigrationGuard, guard_build};
use crate::outcomes::all_ok;
use crate::source::Git;
use crate::step::LiveApp;

/// Makes all changes, in their order, or takes back those that were made.
///
/// # Errors
///
/// What failed on which host; where all of them stand is in the standing of the fleet.
pub(super) async fn changes(
    fleet: &SiteHosts,
    coming: &Coming,
    source: &Git,
    if_ahead: MigrationGuard,
) -> Result<(), TaskError> {
    fleet.client().note(None, format!("fetching {} on {}", coming.revision, fleet.label()));
    fleet.phase("fetch");
    let fetched = fleet.hosts.each(|host| async move {
        let layout = fleet.layouts.of(&host)?;
        let root = layout.root();
        host.run(cmd!("git init --quiet {root}")).await?;
        source.deliver(&host, &layout.repo(), &coming.revision).await?;
        refuse_to_overwrite(&host, root, &coming.revision.commit).await
    });
    all_ok(fetched.await)?;
    match moved(fleet, coming, if_ahead).await {
        Ok(()) => Ok(()),
        Err(error) => Err(take_back(fleet, coming, error.into_error()).await.into()),
    }
}

/// Refuses where a file that git does not know there would be overwritten by one of the commit.
async fn refuse_to_overwrite(host: &Connection, root: &str, commit: &str) -> Result<(), Error> {
    // What is in both lists, and so twice in one: names of the commit, and of files that git does not know.
    let look = cmd!(
        "cd {root} && {{ git -c core.quotePath=false ls-tree -r --name-only --full-tree {commit}; \
         git -c core.quotePath=false ls-files --others; }} | sort | uniq -d"
    );
    // A change as far as a dry run goes, where the commit is not there.
    let said = host.run(look).hide(Hide::Both).await?;
    if !said.was_run() {
        return Ok(());
    }
    match said.lines()?.first() {
        None => Ok(()),
        Some(file) => {
            let text = format!("`{file}` is there, and git does not know it: it would be overwritten");
            Err(Error::new(ErrorKind::Task, text).on(said.host()).hint("move it away, or take it into the repository"))
        }
    }
}

async fn moved(fleet: &SiteHosts, coming: &Coming, if_ahead: MigrationGuard) -> Result<(), TaskError> {
    let (to, entry) = (&coming.revision.to_string(), &coming.log_line());
    fleet.client().note(None, format!("moving {} to {to}", fleet.label()));
    fleet.phase("switch");
    let moved = fleet.hosts.each(|host| async move {
        fleet.standing.set(&host, Place::Switching(to.clone()));
        reset(fleet, &host, &coming.revision.commit, entry).await?;
        fleet.standing.set(&host, Place::Switched(to.clone()));
        fleet.site.build.run(&fleet.app(&host, &coming.release)?).await
    });
    all_ok(moved.await)?;
    guard_build(fleet, coming, if_ahead).await?;
    let live =
        if coming.before.values().any(|survey| survey.live().is_some()) { LiveApp::Replaced } else { LiveApp::None };
    fleet.run_once(&fleet.site.once, &coming.release, live).await?;
    take_up_in_batches(fleet, &coming.release, to).await
}

/// Moves the work tree of a host to a commit, and notes that in the log.
async fn reset(fleet: &SiteHosts, host: &Connection, commit: &str, line: &str) -> Result<(), Error> {
    let layout = fleet.layouts.of(host)?;
    let (root, log) = (layout.root(), layout.revision_log());
    let reset = cmd!("git -C {root} reset --quiet --hard {commit} || exit; printf '%s\\n' {line} >> {log} || :");
    host.run(fleet.atomic(host, reset)?).await?;
    Ok(())
}

/// Moves every host back to the commit that it had, and returns the error; where there was none, it stays.
pub(super) async fn take_back(fleet: &SiteHosts, coming: &Coming, error: Error) -> Error {
    let changed = fleet.aside(|host| fleet.standing.is_changed(host));
    fleet.client().note(None, format!("taking back {}: {}", coming.revision, error.message()));
    fleet.phase("revert");
    let back = changed.each(|host| async move {
        let Some(before) = coming.before(&host).and_then(|survey| survey.live_manifest()) else { return Ok(()) };
        let name = before.revision.to_string();
        let line = format!("{} taken back to {name} by {}", coming.revision, coming.by);
        reset(fleet, &host, &before.revision.commit, &line).await?;
        fleet.standing.set(&host, Place::Returning(name.clone()));
        fleet.site.build.run(&fleet.app(&host, &coming.release)?).await?;
        take_up(fleet, &host, &coming.release).await?;
        fleet.standing.set(&host, Place::Back(name));
        Ok::<_, TaskError>(())
    });
    let back = back.await;
    warn_of_stuck(fleet, &back);
    fleet.client().note(None, fleet.standing.table(fleet));
    match back.failed().next() {
        None => error,
        Some(_) => error.hint("the table above says which hosts could not be taken back; deploy again to mend them"),
    }
}
