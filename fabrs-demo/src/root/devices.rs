//! `/dev` of a host: devices of the machine without side effects, and a private `devpts`.

use std::fs;

use rustix::mount::MountFlags;

use super::new_root::NewRoot;
use crate::step_error::{StepContext, StepError};

/// Devices of the machine without side effects.
const BOUND_DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Creates the contents of `/dev`.
pub(super) fn create_devices(root: &NewRoot) -> Result<(), StepError> {
    for name in BOUND_DEVICES {
        let path = format!("/dev/{name}");
        if fs::exists(&path).unwrap_or(false) {
            let target = root.write_file(&path, "", 0o666).context(format!("create {path}"))?;
            rustix::mount::mount_bind(&path, &target).context(format!("mount {path}"))?;
        }
    }
    let terminals = root.create_dir("/dev/pts", 0o755).context("create /dev/pts")?;
    let options = c"newinstance,ptmxmode=0666,mode=620";
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    rustix::mount::mount("devpts", terminals, "devpts", flags, Some(options)).context("mount /dev/pts")?;
    root.create_dir("/dev/shm", 0o1777).context("create /dev/shm")?;
    let links = [
        ("pts/ptmx", "/dev/ptmx"),
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
    ];
    for (to, path) in links {
        root.symlink(to, path).context(format!("create {path}"))?;
    }
    Ok(())
}
