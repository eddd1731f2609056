//! Uploads a commit to a host without access to the repository: one pack of the missing objects.

use fabrs::{Connection, Error, Hide, cmd};

/// The maximum number of the host's refs compared for a pack. The refs of the last deploys are
/// enough for a small pack.
const MAX_KNOWN_COMMITS: usize = 64;

/// Uploads a commit and its ancestors from the repository in the directory of `here` into the bare
/// repository `repo` of the host.
///
/// # Errors
///
/// The errors of a command, and of `put`.
pub(super) async fn upload_commit(here: &Connection, host: &Connection, repo: &str, commit: &str) -> Result<(), Error> {
    // In a dry run, the repository may not exist on the host. The plan then has a full upload.
    let has_commit = host.probe(cmd!("git --git-dir {repo} cat-file -e {commit}^{{commit}} 2> /dev/null")).warn();
    if has_commit.hide(Hide::Both).ok().await? {
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
    let pack = pack.named("pack the commit for the upload").hide(Hide::Both).await?;
    if !pack.was_run() {
        return Ok(());
    }
    let pack = pack.line()?;
    let uploaded = upload_pack(host, &pack, repo, commit).await;
    here.run(cmd!("rm -f -- {pack}")).await?;
    uploaded
}

/// Uploads a pack into a repository of the host. A ref of the commit protects the objects from
/// `git gc`.
async fn upload_pack(host: &Connection, pack: &str, repo: &str, commit: &str) -> Result<(), Error> {
    let remote_pack = format!("{repo}/incoming.pack");
    host.put(pack, &remote_pack).await?;
    host.run(cmd!(
        "cd {repo} && git index-pack --stdin --fix-thin < incoming.pack > /dev/null && \
         git update-ref refs/fabrs/{commit} {commit}; status=$?; rm -f incoming.pack; exit $status"
    ))
    .named("unpack the commit")
    .await?;
    Ok(())
}
