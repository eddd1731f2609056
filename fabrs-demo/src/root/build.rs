//! Builds the root file system of a host and switches to it.

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
use crate::step_error::{StepContext, StepError};

/// The mount point of the new root. Every machine has this directory, and only this namespace sees
/// the mount.
const BASE: &str = "/tmp";

/// Builds the root of a host and makes it the root of this process.
pub(crate) fn build_root(settings: &HostSettings) -> Result<(), StepError> {
    // Private propagation keeps all following mounts inside the namespace.
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).context("make mounts private")?;
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    rustix::mount::mount("tmpfs", BASE, "tmpfs", MountFlags::empty(), Some(c"mode=755")).context("mount a root")?;
    let root = NewRoot::new(BASE);
    create_dirs(&root, settings).context("create the directories of the root")?;
    bind_mounts::mount_system(&root)?;
    devices::create_devices(&root)?;
    rustix::mount::mount("proc", root.path("/proc"), "proc", MountFlags::NOSUID | MountFlags::NODEV, None)
        .context("mount /proc")?;
    etc::write_etc(&root, settings, shell).context("write /etc")?;
    install_program(&root)?;
    // `pivot_root(".", ".")` stacks the old root on the new root, and the unmount detaches it
    // (pivot_root(2)).
    rustix::process::chdir(BASE).context("change to the root")?;
    rustix::process::pivot_root(".", ".").context("switch the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("unmount the old root")?;
    rustix::process::chdir("/").context("change to the root")
}

/// Creates the new directories of a host.
fn create_dirs(root: &NewRoot, settings: &HostSettings) -> std::io::Result<()> {
    const NEW_DIRS: [&str; 19] = [
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
    for folder in NEW_DIRS {
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

/// Installs this program, also under the name `sudo`.
fn install_program(root: &NewRoot) -> Result<(), StepError> {
    let program = root.write_file(PROGRAM, "", 0o755).context("create the file for the program")?;
    // A program in memory belongs to no mount and cannot be bind-mounted. See
    // `contain::open_program`.
    match rustix::mount::mount_bind("/proc/self/exe", &program) {
        Ok(()) => bind_mounts::remount_read_only(&program)?,
        Err(_) => fs::copy("/proc/self/exe", &program).context("install the program").map(drop)?,
    }
    let sudo = root.write_file(&format!("{BIN}/sudo"), "", 0o755).context("create the file for `sudo`")?;
    bind_sudo(&program, &sudo)?;
    // `/usr/bin/sudo` must be the replacement too, because the machine's `sudo` fails inside a
    // host.
    let machine_sudo = root.path("/usr/bin/sudo");
    if fs::exists(&machine_sudo).unwrap_or(false) { bind_sudo(&program, &machine_sudo) } else { Ok(()) }
}

/// Mounts this program at `path`. The file name selects the helper `sudo`.
fn bind_sudo(program: &Path, path: &Path) -> Result<(), StepError> {
    rustix::mount::mount_bind(program, path).context("install `sudo`")?;
    bind_mounts::remount_read_only(path)
}
