//! File systems for tests: a small disk, a quota and a bind mount. All need root.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A world-writable file system of 1 MiB. Unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts the file system over `folder`. Prints a note and returns `None` if mounting fails.
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
        // `--lazy` also unmounts a file system with open files.
        let _gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A world-writable directory with a quota of 1 MiB. Unmounted on drop.
#[derive(Debug)]
pub struct QuotaDir {
    mounted: PathBuf,
    folder: PathBuf,
}

impl QuotaDir {
    /// The minimum size of a btrfs file system, in bytes.
    const DISK: u64 = 128 << 20;

    /// Creates the directory below `folder`. Prints a note and returns `None` if mounting fails.
    pub fn mount(folder: &Path) -> Option<Self> {
        let image = folder.join("image");
        let made = Self { mounted: folder.join("disk"), folder: folder.join("disk/limited") };
        let run = |program: &str, arguments: &[&str], path: &Path| {
            let mut command = Command::new(program);
            command.args(arguments).arg(path).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let is_made = || {
            std::fs::create_dir(&made.mounted).ok()?;
            File::create(&image).and_then(|image| image.set_len(Self::DISK)).ok()?;
            let image = image.to_str()?;
            let is_mounted = run("mkfs.btrfs", &["-q"], Path::new(image))
                && run("mount", &["-o", "loop", image], &made.mounted)
                && run("btrfs", &["quota", "enable"], &made.mounted)
                && run("btrfs", &["subvolume", "create"], &made.folder)
                && run("btrfs", &["qgroup", "limit", "1M"], &made.folder)
                && run("chmod", &["0777"], &made.folder);
            is_mounted.then_some(())
        };
        if is_made().is_some() {
            return Some(made);
        }
        let _lost = writeln!(io::stderr(), "NOT TESTED HERE: a quota (no btrfs can be made and mounted)");
        None
    }

    /// Returns the path of the directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for QuotaDir {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(&self.mounted).stderr(Stdio::null()).status();
    }
}

/// A bind mount. Unmounted on drop.
#[derive(Debug)]
pub struct BindMount(PathBuf);

impl BindMount {
    /// Mounts `folder` at `over`. Prints a note and returns `None` if mounting fails.
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
    /// Mounts `folder` over itself, read-only. Returns `None` if mounting fails.
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
