//! Building a release on every host, in a folder that nobody looks at yet.

use fabrs::{Connection, Error, Hide, TaskError, cmd};

use super::begin::Coming;
use super::site_hosts::SiteHosts;
use crate::outcomes::all_ok;
use crate::release::{Layout, MANIFEST_FILE, Manifest, UNFINISHED_FILE};
use crate::source::Git;

/// The tree of the commit, while it is unpacked. Not by a pipe: of that only the second status counts, and tar takes a tree that
/// ends between two files for a whole one.
const TREE: &str = ".fabrs-tree.tar";

/// Builds the release on all hosts at once; it is whole on a host when its manifest is there.
///
/// # Errors
///
/// As [`Outcomes::all_ok`](fabrs::Outcomes::all_ok): what failed on which host.
pub(super) async fn build(fleet: &SiteHosts, coming: &Coming, source: &Git) -> Result<(), TaskError> {
    fleet.client().note(None, format!("building {} on {}", coming.release, fleet.label()));
    fleet.phase("build");
    let built = fleet.hosts.each(|host| on(fleet, coming, source, host)).await;
    all_ok(built)?;
    Ok(())
}

async fn on(fleet: &SiteHosts, coming: &Coming, source: &Git, host: Connection) -> Result<(), TaskError> {
    let layout = fleet.layouts.of(&host)?;
    let (root, shared) = (layout.root(), layout.shared());
    let folders: Vec<String> = fleet.site.linked_dirs.iter().map(|folder| format!("{shared}/{folder}")).collect();
    let (folder, repo, commit) = (layout.release(&coming.release), layout.repo(), &coming.revision.commit);
    // To be said again it is safe, and so is what follows: a clone that was killed would leave half a repository.
    let make = host.run(cmd!("mkdir -p {root}/releases {shared} {folders...} && git init --quiet --bare {repo}"));
    make.named("make the folders of the site").hide(Hide::Both).await?;
    source.deliver(&host, &repo, &coming.revision).await?;

    let manifest = coming.manifest(&host).to_json_line();
    // First of all it says that it is ours: should this run die here, the next one may remove it.
    host.run(cmd!(
        "mkdir {folder} && printf '%s\\n' {manifest} > {folder}/{UNFINISHED_FILE} && \
         git --git-dir {repo} archive --output={folder}/{TREE} {commit} && tar -x -f {folder}/{TREE} -C {folder} && \
         rm {folder}/{TREE} && printf '%s\\n' {commit} > {folder}/REVISION"
    ))
    .named(format!("unpack {} into releases/{}", coming.revision, coming.release))
    .hide(Hide::Both)
    .await?;
    fleet.works_in(&host, &folder);
    link(fleet, layout, &folder, &host).await?;

    let app = fleet.app(&host, &coming.release)?;
    fleet.site.build.run(&app).await?;
    let manifest = Manifest { migrations: app.migrations(), ..coming.manifest(&host) }.to_json_line();
    host.run(cmd!("printf '%s\\n' {manifest} > {folder}/{UNFINISHED_FILE} && mv {folder}/{UNFINISHED_FILE} {folder}/{MANIFEST_FILE}"))
        .named(format!("finish release {}", coming.release))
        .await?;
    Ok(())
}

/// Gives the release its symlinks into `shared`, in the place of what the repository may have there.
async fn link(fleet: &SiteHosts, layout: &Layout, folder: &str, host: &Connection) -> Result<(), Error> {
    let shared = layout.shared();
    let links: Vec<&String> = fleet.site.linked_files.iter().chain(&fleet.site.linked_dirs).collect();
    if links.is_empty() {
        return Ok(());
    }
    host.run(cmd!(
        "cd {folder} && for link in {links...}; do case $link in */*) mkdir -p \"${link%/*}\" && \
         case $(cd \"${link%/*}\" && pwd -P) in \"$(pwd -P)\"/*) ;; \
         *) echo \"$link leads out of the release\" >&2; exit 1 ;; esac ;; esac && rm -rf \"./$link\" && ln -s {shared}/\"$link\" \"$link\" || exit; done"
    ))
    .named("link shared files and folders")
    .hide(Hide::Both)
    .await?;
    Ok(())
}
