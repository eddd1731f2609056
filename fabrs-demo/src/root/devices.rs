//! The devices of a host: those that do nothing, and terminals of its own.

use std::fs;

use rustix::mount::MountFlags;

use super::new_root::Tree;
use crate::step_error::{Failure, While};

/// The devices that are the machine's: none of them changes anything.
const SHOWN: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Fills `/dev`.
pub(super) fn make(tree: &Tree) -> Result<(), Failure> {
    for name in SHOWN {
        let path = format!("/dev/{name}");
        if fs::exists(&path).unwrap_or(false) {
            let place = tree.file(&path, "", 0o666).when(format!("make {path}"))?;
            rustix::mount::mount_bind(&path, &place).when(format!("show {path}"))?;
        }
    }
    let terminals = tree.folder("/dev/pts", 0o755).when("make /dev/pts")?;
    let how = c"newinstance,ptmxmode=0666,mode=620";
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    rustix::mount::mount("devpts", terminals, "devpts", flags, Some(how)).when("mount terminals of its own")?;
    tree.folder("/dev/shm", 0o1777).when("make /dev/shm")?;
    let links = [
        ("pts/ptmx", "/dev/ptmx"),
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
    ];
    for (to, path) in links {
        tree.link(to, path).when(format!("make {path}"))?;
    }
    Ok(())
}
