//! Deploys in place: fetches a commit into a live work tree, and resets the work tree to the
//! commit.

use fabrs::{Connection, Error, ErrorKind, Hide, TaskError, cmd};

use crate::deploy::rollout::Rollout;
use crate::outcomes::all_ok;
use crate::source::Git;

/// Fetches the commit on all hosts. No live file changes.
///
/// # Errors
///
/// [`ErrorKind::Task`] if the commit contains an untracked file of a host. The errors of a
/// command.
pub(super) async fn fetch(rollout: &Rollout<'_>, source: &Git) -> Result<(), TaskError> {
    let (hosts, revision) = (rollout.hosts, &rollout.target.revision);
    let phase = hosts.phase("fetch", hosts.group.connections());
    rollout.set_phase("fetch");
    let fetched = hosts.group.each(|host| async move {
        let layout = hosts.layouts.of(&host)?;
        let root = layout.root();
        host.run(cmd!("git init --quiet {root}")).named("create the work tree").await?;
        source.deliver(&host, &layout.repo(), revision).await?;
        refuse_overwrite(&host, root, &revision.commit).await
    });
    all_ok(fetched.await)?;
    phase.done(revision.to_string());
    Ok(())
}

/// Refuses to overwrite an untracked file on the host.
async fn refuse_overwrite(host: &Connection, root: &str, commit: &str) -> Result<(), Error> {
    // A name printed twice is in both lists: files of the commit, and untracked files.
    let list = cmd!(
        "cd {root} && {{ git -c core.quotePath=false ls-tree -r --name-only --full-tree {commit}; \
         git -c core.quotePath=false ls-files --others; }} | sort | uniq -d"
    );
    // In a dry run, the commit is not on the host. So this command is planned like a change, and
    // does not run.
    let listed = host.run(list).named("compare with untracked files").hide(Hide::Both).await?;
    if !listed.was_run() {
        return Ok(());
    }
    match listed.lines()?.first() {
        None => Ok(()),
        Some(file) => {
            let text = format!("the commit would overwrite `{file}`, which git does not track on this host");
            Err(Error::new(ErrorKind::Task, text).on(listed.host()).hint("move the file away, or commit it"))
        }
    }
}

/// Resets the work tree of a host to a commit, and appends an entry to `revisions.log`. An
/// unwritable log does not fail the reset.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn reset(rollout: &Rollout<'_>, host: &Connection, commit: &str, entry: &str) -> Result<(), Error> {
    let layout = rollout.hosts.layouts.of(host)?;
    let (root, log) = (layout.root(), layout.revision_log());
    let reset = cmd!("git -C {root} reset --quiet --hard {commit} || exit; printf '%s\\n' {entry} >> {log} || :");
    host.run(rollout.under_lock(host, reset)?).named(format!("git reset --hard {commit}")).await?;
    Ok(())
}
