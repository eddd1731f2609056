//! File systems for a test: a disk that is soon full, a folder in two places.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A disk of one MiB that everybody may write to; it is gone when this is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it over a folder, unless this machine lets nobody, which is told.
    pub fn mount(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=0777", "none"]).arg(folder).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(folder.to_owned()));
        }
        let _lost = writeln!(io::stderr(), "NOT TESTED HERE: a small disk (no file system can be mounted)");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file of it open keeps nobody from it.
        let _gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A folder that is another one's too; it is gone from there when this is dropped.
#[derive(Debug)]
pub struct BindMount(PathBuf);

impl BindMount {
    /// Mounts a folder over another, unless this machine lets nobody, which is told.
    pub fn mount(folder: &Path, over: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(folder).arg(over).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(over.to_owned()));
        }
        let _lost = writeln!(io::stderr(), "NOT TESTED HERE: a bind mount (no file system can be mounted)");
        None
    }
}

impl BindMount {
    /// Lets nobody write to a folder, unless this machine does not let us, which is told.
    pub fn read_only(folder: &Path) -> Option<Self> {
        let mount = Self::mount(folder, folder)?;
        let mut remount = Command::new("mount");
        remount.args(["-o", "remount,bind,ro"]).arg(folder).stderr(Stdio::null());
        remount.status().is_ok_and(|status| status.success()).then_some(mount)
    }
}

impl Drop for BindMount {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
