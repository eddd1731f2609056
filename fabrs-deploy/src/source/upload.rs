//! Commits that are uploaded to a host which can't reach their repository: one pack of what it has not.

use fabrs::{Connection, Error, Hide, cmd};

/// How many of the commits that a host has are told to git here: those of its last deploys are enough.
const MAX_KNOWN_COMMITS: usize = 64;

/// Brings a commit of the repository that `here` stands in, and all behind it, into the bare one of `host`.
///
/// # Errors
///
/// As any command, and as a `put`.
pub(super) async fn upload_commit(here: &Connection, host: &Connection, repo: &str, commit: &str) -> Result<(), Error> {
    // In a dry run nothing is there yet, and all of it would go.
    let has = host.probe(cmd!("git --git-dir {repo} cat-file -e {commit}^{{commit}} 2> /dev/null")).warn();
    if has.hide(Hide::Both).ok().await? {
        return Ok(());
    }
    let known = host.probe(cmd!(
        "git --git-dir {repo} for-each-ref --count={MAX_KNOWN_COMMITS} --format='%(objectname)' 2> /dev/null"
    ));
    let known = known.warn().hide(Hide::Both).lines().await?;

    let pack = here.run(cmd!(
        "git cat-file -e {commit}^{{commit}} 2> /dev/null || git fetch --quiet --tags origin; set -e; pack=$(mktemp); \
         trap 'test $? = 0 || rm -f \"$pack\"' EXIT; {{ echo {commit}; for id in {known...}; do if git cat-file -e \"$id\" 2> /dev/null; then echo \"^$id\"; fi; done; }} | \
         git pack-objects --revs --stdout --thin --quiet > \"$pack\"; echo \"$pack\""
    ));
    let pack = pack.hide(Hide::Both).await?;
    if !pack.was_run() {
        return Ok(());
    }
    let pack = pack.line()?;
    let uploaded = upload_pack(host, &pack, repo, commit).await;
    here.run(cmd!("rm -f -- {pack}")).await?;
    uploaded
}

/// Puts a pack on a host and takes it into the repository, under a name that keeps it.
async fn upload_pack(host: &Connection, pack: &str, repo: &str, commit: &str) -> Result<(), Error> {
    let there = format!("{repo}/incoming.pack");
    host.put(pack, &there).await?;
    host.run(cmd!(
        "cd {repo} && git index-pack --stdin --fix-thin < incoming.pack > /dev/null && \
         git update-ref refs/fabrs/{commit} {commit}; status=$?; rm -f incoming.pack; exit $status"
    ))
    .await?;
    Ok(())
}
