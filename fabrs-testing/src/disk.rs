//! File systems for a test: a disk that is soon full, a folder with a quota, a folder in two places.

use std::fs::File;
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

/// A folder that everybody may write to, up to a quota of one MiB; it is gone when this is dropped.
#[derive(Debug)]
pub struct QuotaDir {
    mounted: PathBuf,
    folder: PathBuf,
}

impl QuotaDir {
    /// How much has to fit on a btrfs at least.
    const DISK: u64 = 128 << 20;

    /// Makes it in a folder, unless this machine lets nobody, which is told.
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

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for QuotaDir {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(&self.mounted).stderr(Stdio::null()).status();
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
