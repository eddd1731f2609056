//! End of a network: processes, mounts, namespaces, control groups and files.
//!
//! The removal goes by the name of the network only. So a test also removes the networks of killed
//! test processes.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cgroup::CgroupMounts;
use super::{disk, lan};

/// The start of the name of each network.
const PREFIX: &str = "fabrs-machines-";
/// The file in the directory of a network. The process of the network holds a lock on the file.
const LOCK_FILE: &str = "lock";

/// The directory of a network. Everything named after the directory ends on drop.
#[derive(Debug)]
pub(super) struct NetworkDir {
    dir: TempDir,
    /// Held until drop. The kernel drops the lock of a killed process.
    _lock: File,
}

impl NetworkDir {
    /// Creates the directory.
    ///
    /// # Panics
    ///
    /// If the directory for temporary files is not writable.
    pub(super) fn create() -> Self {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir().expect("a temporary directory");
        let partial = dir.path().join("lock.new");
        let lock = File::create(&partial).expect("a writable directory");
        lock.lock().expect("the file can be locked");
        // A lock without its owner means a killed process, so the file appears with the lock.
        fs::rename(&partial, dir.path().join(LOCK_FILE)).expect("a rename within one directory");
        Self { dir, _lock: lock }
    }

    /// Returns the path of the directory.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the name of the network, also the name of its namespace and control group.
    pub(super) fn name(&self) -> &str {
        name_of(self.dir.path()).expect("the prefix and the random part are text")
    }
}

impl Drop for NetworkDir {
    fn drop(&mut self) {
        remove(self.dir.path());
    }
}

/// Removes the networks of killed test processes.
pub(super) fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for dir in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if !name_of(&dir).is_some_and(|name| name.starts_with(PREFIX)) {
            continue;
        }
        let Ok(lock) = File::open(dir.join(LOCK_FILE)) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                remove(&dir);
                let _ = fs::remove_dir_all(&dir);
            }
            // The owner is alive, or another test process removes the network now.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Ends all processes of a network, then removes its mounts, namespaces and control groups.
fn remove(dir: &Path) {
    let Some(name) = name_of(dir) else { return };
    let cgroup = CgroupMounts::find().map(|mounts| mounts.group(name));
    if cgroup.is_some_and(|cgroup| !cgroup.remove()) {
        let _ = writeln!(io::stderr(), "processes of the control group `{name}` could not be killed");
    }
    for mount_point in mounts_below(dir) {
        disk::unmount(&mount_point);
    }
    lan::remove_namespaces(name);
}

/// Returns the mount points below a directory, the last mounted first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount_points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = mount_points.filter(|mount_point| mount_point.starts_with(dir)).collect();
    below.reverse();
    below
}

fn name_of(dir: &Path) -> Option<&str> {
    dir.file_name()?.to_str()
}
