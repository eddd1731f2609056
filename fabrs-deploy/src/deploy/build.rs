//! The build of a release on all hosts, in a separate directory, and its removal after a failure.

use fabrs::{Connection, Error, Group, Hide, TaskError, cmd};

use crate::database::Snapshot;
use crate::deploy::rollout::Rollout;
use crate::deploy::space_to_free::SpaceToFree;
use crate::deploy::target::ReleaseOrigin;
use crate::hooks::DeployPhase;
use crate::outcomes::all_ok;
use crate::release::{Layout, MANIFEST_FILE, Manifest, UNFINISHED_FILE};
use crate::remote_script::with_arguments;
use crate::site::Site;
use crate::source::Git;
use crate::step::App;

/// The archive of the commit, until the release is unpacked. A pipe would hide errors: only the
/// status of its last command counts, and tar accepts an archive cut off between two files.
const ARCHIVE: &str = ".fabrs-tree.tar";

/// Builds the release on all hosts in parallel. The release is complete on a host as soon as its
/// manifest exists.
///
/// # Errors
///
/// As [`Outcomes::all_ok`](fabrs::Outcomes::all_ok): the failed step and its host.
pub(super) async fn build(rollout: &Rollout<'_>, source: &Git) -> Result<(), TaskError> {
    let hosts = rollout.hosts;
    let phase = hosts.phase("build", hosts.group.connections());
    rollout.set_phase("build");
    let timed = &phase;
    let built =
        hosts.group.each(|host| async move { timed.time(&host, build_on(rollout, source, host.clone())).await });
    all_ok(built.await)?;
    phase.done(format!("release {}", rollout.target.release));
    Ok(())
}

async fn build_on(rollout: &Rollout<'_>, source: &Git, host: Connection) -> Result<(), TaskError> {
    let (hosts, target) = (rollout.hosts, &rollout.target);
    let layout = hosts.layouts.of(&host)?;
    let (root, shared) = (layout.root(), layout.shared());
    let linked_dirs: Vec<String> = hosts.site.linked_dirs.iter().map(|dir| format!("{shared}/{dir}")).collect();
    let (dir, repo, commit) = (layout.release(&target.release), layout.repo(), &target.revision.commit);
    if let Some(space) = hosts.space_to_free(&host) {
        free_space(&host, &format!("{root}/releases"), space).await?;
    }
    // `git init` and the fetch are safe to repeat. A killed `git clone` would leave half a
    // repository.
    let make = host.run(cmd!("mkdir -p {root}/releases {shared} {linked_dirs...} && git init --quiet --bare {repo}"));
    make.named("create the directories of the site").hide(Hide::Both).await?;
    source.deliver(&host, &repo, &target.revision).await?;

    let manifest = target.manifest(&host).to_json_line();
    // `UNFINISHED_FILE` comes first: if this run dies, the next deploy may remove the directory.
    host.run(cmd!(
        "mkdir {dir} && printf '%s\\n' {manifest} > {dir}/{UNFINISHED_FILE} && \
         git --git-dir {repo} archive --output={dir}/{ARCHIVE} {commit} && tar -x -f {dir}/{ARCHIVE} -C {dir} && \
         rm {dir}/{ARCHIVE} && printf '%s\\n' {commit} > {dir}/REVISION"
    ))
    .named(format!("unpack {} into releases/{}", target.revision, target.release))
    .hide(Hide::Both)
    .await?;
    rollout.set_work_dir(&host, &dir);
    link_shared(rollout, layout, &dir, &host).await?;

    let app = hosts.app(&host, &target.release)?;
    run_steps(&hosts.site, &app).await?;
    let manifest = Manifest { migrations: app.migrations(), ..target.manifest(&host) }.to_json_line();
    host.run(cmd!(
        "printf '%s\\n' {manifest} > {dir}/{UNFINISHED_FILE} && mv {dir}/{UNFINISHED_FILE} {dir}/{MANIFEST_FILE}"
    ))
    .named(format!("finish release {}", target.release))
    .await?;
    Ok(())
}

/// Runs the build steps of a host between their hooks.
///
/// # Errors
///
/// The first error of a step or a hook.
pub(super) async fn run_steps(site: &Site, app: &App) -> Result<(), TaskError> {
    let hooks = site.hooks.of(DeployPhase::Build);
    hooks.before.run(app).await?;
    site.build.run(app).await?;
    hooks.after.run(app).await
}

/// Removes old releases until a new release fits.
async fn free_space(host: &Connection, releases: &str, space: &SpaceToFree) -> Result<(), Error> {
    let SpaceToFree { kib, inodes, removable } = space;
    let fixed = [releases.to_owned(), kib.to_string(), inodes.to_string()];
    let arguments = fixed.into_iter().chain(removable.iter().map(ToString::to_string));
    let script = with_arguments(arguments, include_str!("free_space.sh"));
    host.run(script).named("remove old releases to free space").await.map(drop)
}

/// Adds the snapshot of the database to the manifest of the release on all hosts. A failure is a
/// warning: the snapshot exists, and the migration log names it.
pub(super) async fn record_snapshot(rollout: &Rollout<'_>, snapshot: &Snapshot) {
    let recorded = rollout.hosts.group.each(|host| async move {
        let layout = rollout.hosts.layouts.of(&host)?;
        let path = format!("{}/{MANIFEST_FILE}", layout.release(&rollout.target.release));
        let file = serde_json::Value::from(snapshot.file.as_str()).to_string();
        let script = with_arguments([path, file], include_str!("record_snapshot.sh"));
        host.with_shell("sh -c").run(script).named("record the snapshot in the manifest").await
    });
    for (host, outcome) in &recorded.await {
        if let Some(error) = outcome.error() {
            let text = format!("could not record the snapshot in the manifest: {}", error.message());
            rollout.hosts.client().warn(Some(host), text);
        }
    }
}

/// Replaces the linked files and directories of the release by symlinks into `shared`.
async fn link_shared(rollout: &Rollout<'_>, layout: &Layout, dir: &str, host: &Connection) -> Result<(), Error> {
    let (site, shared) = (&rollout.hosts.site, layout.shared());
    let links: Vec<&String> = site.linked_files.iter().chain(&site.linked_dirs).collect();
    if links.is_empty() {
        return Ok(());
    }
    // A symlink in the repository may lead out of the release: `rm -rf` must not follow it.
    host.run(cmd!(
        "cd {dir} && for link in {links...}; do case $link in */*) mkdir -p \"${link%/*}\" && \
         case $(cd \"${link%/*}\" && pwd -P) in \"$(pwd -P)\"/*) ;; \
         *) echo \"$link is outside the release: its directory is a symlink\" >&2; exit 1 ;; esac ;; esac && rm -rf \"./$link\" && ln -s {shared}/\"$link\" \"$link\" || exit; done"
    ))
    .named("link shared files and directories")
    .hide(Hide::Both)
    .await?;
    Ok(())
}

/// Removes the release of this run from hosts on which it is not live. A release of an earlier run
/// is not removed, also not a held release.
pub(super) async fn remove(rollout: &Rollout<'_>, group: &Group) {
    if rollout.target.origin != ReleaseOrigin::ThisRun {
        return;
    }
    let removed = group.each(|host| async move {
        let (root, release) = (rollout.hosts.layouts.of(&host)?.root(), &rollout.target.release);
        // The rename comes first: an interrupted removal must not leave a directory with the name
        // of a release.
        host.run(cmd!(
            "cd {root}/releases && if [ -e {release} ]; then mv {release} .gone-{release}; fi && rm -rf .gone-*"
        ))
        .named(format!("remove release {release}"))
        .await
    });
    for (host, outcome) in &removed.await {
        // An unreachable host was reported before. The next deploy removes the leftovers there.
        if let Some(error) = outcome.error() {
            let text = format!("could not remove release {}: {}", rollout.target.release, error.message());
            rollout.hosts.client().warn(Some(host), text);
        }
    }
}
