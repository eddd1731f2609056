//! Building the root of a host.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::bind_mounts;
use super::devices;
use super::etc;
use super::new_root::NewRoot;
use super::paths::{BIN, PROGRAM};
use crate::passwd;
use crate::protocol::HostSettings;
use crate::step_error::{Context, StepError};

/// Where the root is put together: any folder that every machine has; only this process sees it.
const BASE: &str = "/tmp";

/// Makes the root of a host and moves into it.
pub(crate) fn build_root(settings: &HostSettings) -> Result<(), StepError> {
    // Nothing that is mounted from here on shows outside.
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).context("keep mounts to itself")?;
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    rustix::mount::mount("tmpfs", BASE, "tmpfs", MountFlags::empty(), Some(c"mode=755")).context("mount a root")?;
    let root = NewRoot::new(BASE);
    create_dirs(&root, settings).context("make the folders of the root")?;
    bind_mounts::mount_system(&root)?;
    devices::create_devices(&root)?;
    rustix::mount::mount("proc", root.path("/proc"), "proc", MountFlags::NOSUID | MountFlags::NODEV, None)
        .context("mount its processes")?;
    etc::write_etc(&root, settings, shell).context("make its /etc")?;
    install_program(&root)?;
    // In place of the old root, which is then below the new one and let go.
    rustix::process::chdir(BASE).context("go to the root")?;
    rustix::process::pivot_root(".", ".").context("take the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("let the machine's root go")?;
    rustix::process::chdir("/").context("go to the root")
}

/// Makes the folders that are a host's own.
fn create_dirs(root: &NewRoot, settings: &HostSettings) -> std::io::Result<()> {
    const FRESH: [&str; 19] = [
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
    for folder in FRESH {
        root.create_dir(folder, 0o755)?;
    }
    for folder in ["/tmp", "/var/tmp", "/run/lock"] {
        root.create_dir(folder, 0o1777)?;
    }
    root.create_dir("/root", 0o700)?;
    root.symlink("/run", "/var/run")?;
    root.symlink("/run/lock", "/var/lock")?;
    if let Some(uid) = passwd::account_uid(settings) {
        let home = root.create_dir(&format!("/home/{}", settings.account), 0o755)?;
        std::os::unix::fs::chown(home, Some(uid), Some(uid))?;
    }
    Ok(())
}

/// Puts this program into the root, and `sudo`, which is a part of it.
fn install_program(root: &NewRoot) -> Result<(), StepError> {
    let program = root.write_file(PROGRAM, "", 0o755).context("make a place for its program")?;
    // A copy in memory, as of a program that is for its owner alone, is in no mount that could be shown.
    match rustix::mount::mount_bind("/proc/self/exe", &program) {
        Ok(()) => bind_mounts::remount_read_only(&program)?,
        Err(_) => fs::copy("/proc/self/exe", &program).context("put its program in place").map(drop)?,
    }
    let sudo = root.write_file(&format!("{BIN}/sudo"), "", 0o755).context("make a place for `sudo`")?;
    bind_sudo(&program, &sudo)?;
    // One that is called by its path has to be ours too: the machine's can do nothing inside.
    let usual = root.path("/usr/bin/sudo");
    if fs::exists(&usual).unwrap_or(false) { bind_sudo(&program, &usual) } else { Ok(()) }
}

/// Shows this program at another place, where it is `sudo` by its name.
fn bind_sudo(program: &Path, place: &Path) -> Result<(), StepError> {
    rustix::mount::mount_bind(program, place).context("put `sudo` in place")?;
    bind_mounts::remount_read_only(place)
}
