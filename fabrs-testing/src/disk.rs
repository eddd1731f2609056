//! File systems for tests: a small disk, a quota and a bind mount. All need root.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A world-writable file system of 1 MiB. Unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts the file system over `dir`. Prints a note and returns `None` if mounting fails.
    pub fn mount(dir: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=0777", "none"]).arg(dir).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(dir.to_owned()));
        }
        let _ = writeln!(io::stderr(), "NOT TESTED HERE: small disks (mounting a tmpfs failed)");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // `--lazy` also unmounts a file system with open files.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A world-writable directory with a quota of 1 MiB. Unmounted on drop.
#[derive(Debug)]
pub struct QuotaDir {
    mount_point: PathBuf,
    dir: PathBuf,
}

impl QuotaDir {
    /// The minimum size of a btrfs file system, in bytes.
    const MIN_DISK_SIZE: u64 = 128 << 20;

    /// Creates the directory below `dir`. Prints a note and returns `None` if mounting fails.
    pub fn mount(dir: &Path) -> Option<Self> {
        let image = dir.join("image");
        let quota = Self { mount_point: dir.join("disk"), dir: dir.join("disk/limited") };
        let run = |program: &str, arguments: &[&str], path: &Path| {
            let mut command = Command::new(program);
            command.args(arguments).arg(path).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let create = || {
            std::fs::create_dir(&quota.mount_point).ok()?;
            File::create(&image).and_then(|image| image.set_len(Self::MIN_DISK_SIZE)).ok()?;
            let image = image.to_str()?;
            let is_mounted = run("mkfs.btrfs", &["-q"], Path::new(image))
                && run("mount", &["-o", "loop", image], &quota.mount_point)
                && run("btrfs", &["quota", "enable"], &quota.mount_point)
                && run("btrfs", &["subvolume", "create"], &quota.dir)
                && run("btrfs", &["qgroup", "limit", "1M"], &quota.dir)
                && run("chmod", &["0777"], &quota.dir);
            is_mounted.then_some(())
        };
        if create().is_some() {
            return Some(quota);
        }
        let _ = writeln!(io::stderr(), "NOT TESTED HERE: quotas (creating or mounting a btrfs failed)");
        None
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for QuotaDir {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount_point).stderr(Stdio::null()).status();
    }
}

/// A bind mount. Unmounted on drop.
#[derive(Debug)]
pub struct BindMount(PathBuf);

impl BindMount {
    /// Mounts `dir` at `over`. Prints a note and returns `None` if mounting fails.
    pub fn mount(dir: &Path, over: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(dir).arg(over).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(over.to_owned()));
        }
        let _ = writeln!(io::stderr(), "NOT TESTED HERE: bind mounts (mounting failed)");
        None
    }
}

impl BindMount {
    /// Mounts `dir` over itself, read-only. Returns `None` if mounting fails.
    pub fn read_only(dir: &Path) -> Option<Self> {
        let mount = Self::mount(dir, dir)?;
        let mut remount = Command::new("mount");
        remount.args(["-o", "remount,bind,ro"]).arg(dir).stderr(Stdio::null());
        remount.status().is_ok_and(|status| status.success()).then_some(mount)
    }
}

impl Drop for BindMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
