//! Building the root of a host.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::bind_mounts;
use super::devices;
use super::etc;
use super::new_root::Tree;
use super::paths::{BIN, PROGRAM};
use crate::passwd;
use crate::protocol::Setup;
use crate::step_error::{Failure, While};

/// Where the root is put together: any folder that every machine has; only this process sees it.
const BASE: &str = "/tmp";

/// Makes the root of a host and moves into it.
pub(crate) fn build(setup: &Setup) -> Result<(), Failure> {
    // Nothing that is mounted from here on shows outside.
    let apart = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", apart).when("keep mounts to itself")?;
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    rustix::mount::mount("tmpfs", BASE, "tmpfs", MountFlags::empty(), Some(c"mode=755")).when("mount a root")?;
    let tree = Tree::new(BASE);
    folders(&tree, setup).when("make the folders of the root")?;
    bind_mounts::system(&tree)?;
    devices::make(&tree)?;
    rustix::mount::mount("proc", tree.at("/proc"), "proc", MountFlags::NOSUID | MountFlags::NODEV, None)
        .when("mount its processes")?;
    etc::make(&tree, setup, shell).when("make its /etc")?;
    program(&tree)?;
    // In place of the old root, which is then below the new one and let go.
    rustix::process::chdir(BASE).when("go to the root")?;
    rustix::process::pivot_root(".", ".").when("take the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).when("let the machine's root go")?;
    rustix::process::chdir("/").when("go to the root")
}

/// Makes the folders that are a host's own.
fn folders(tree: &Tree, setup: &Setup) -> std::io::Result<()> {
    const OWN: [&str; 19] = [
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/media",
        "/mnt",
        "/proc",
        "/run/fabrs-demo/bin",
        "/srv",
        "/sys",
        "/usr",
        "/var/cache",
        "/var/lib",
        "/var/local",
        "/var/log",
        "/var/mail",
        "/var/opt",
        "/var/spool",
        "/var/www",
    ];
    for folder in OWN {
        tree.folder(folder, 0o755)?;
    }
    for folder in ["/tmp", "/var/tmp", "/run/lock"] {
        tree.folder(folder, 0o1777)?;
    }
    tree.folder("/root", 0o700)?;
    tree.link("/run", "/var/run")?;
    tree.link("/run/lock", "/var/lock")?;
    if let Some(uid) = passwd::own_uid(setup) {
        let home = tree.folder(&format!("/home/{}", setup.account), 0o755)?;
        std::os::unix::fs::chown(home, Some(uid), Some(uid))?;
    }
    Ok(())
}

/// Puts this program into the root, and `sudo`, which is a part of it.
fn program(tree: &Tree) -> Result<(), Failure> {
    let program = tree.file(PROGRAM, "", 0o755).when("make a place for its program")?;
    // A copy in memory, as of a program that is for its owner alone, is in no mount that could be shown.
    match rustix::mount::mount_bind("/proc/self/exe", &program) {
        Ok(()) => bind_mounts::read_only(&program)?,
        Err(_) => fs::copy("/proc/self/exe", &program).when("put its program in place").map(drop)?,
    }
    let sudo = tree.file(&format!("{BIN}/sudo"), "", 0o755).when("make a place for `sudo`")?;
    show(&program, &sudo)?;
    // One that is called by its path has to be ours too: the machine's can do nothing inside.
    let usual = tree.at("/usr/bin/sudo");
    if fs::exists(&usual).unwrap_or(false) { show(&program, &usual) } else { Ok(()) }
}

/// Shows this program at another place, where it is `sudo` by its name.
fn show(program: &Path, place: &Path) -> Result<(), Failure> {
    rustix::mount::mount_bind(program, place).when("put `sudo` in place")?;
    bind_mounts::read_only(place)
}
