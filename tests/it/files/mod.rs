//! File transfers: atomic, idempotent, and with the requested owners and modes.

mod both_backends;
mod diffs;
mod edits;
mod faults;
mod get;
mod hostile;
mod large;
mod live_validation;
mod metadata_warnings;
mod put;
mod random_trees;
mod remote_shells;
mod round_trips;
mod rsync;
mod sftp;
mod sources;
mod sudo;
mod symlink_escapes;
mod sync;
mod targets;
mod tree_faults;
mod trees;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fabrs::Connection;
use fabrs_testing::Sshd;
use tempfile::TempDir;

use crate::support::connect;

/// A real server, with a directory on the server and a local directory.
pub(super) struct FileFixture {
    pub(super) sshd: Sshd,
    pub(super) host: Connection,
    pub(super) local: TempDir,
    /// The directory with all programs of the server, unless the server has the programs of this
    /// machine.
    pub(super) programs: Option<PathBuf>,
}

impl FileFixture {
    pub(super) fn new() -> Self {
        Self::of(Sshd::start())
    }

    pub(super) fn of(sshd: Sshd) -> Self {
        let host = connect(&sshd);
        Self { sshd, host, local: tempfile::tempdir().expect("a temporary directory"), programs: None }
    }

    /// Returns a path on the server.
    pub(super) fn remote(&self, name: &str) -> PathBuf {
        self.sshd.scratch().join(name)
    }

    /// Makes a directory on the server in which all users may replace all files. Returns its path.
    pub(super) fn open_folder(&self) -> PathBuf {
        open_folder(&self.sshd)
    }

    /// Writes a local file and returns the path.
    pub(super) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.local.path().join(name);
        fs::create_dir_all(path.parent().expect("the path has a parent")).expect("the directory is ours");
        fs::write(&path, text).expect("the directory is ours");
        path
    }

    /// Asserts the absence of temporary files, on the server and on this machine.
    pub(super) fn assert_no_leftovers(&self) {
        for folder in [self.sshd.scratch(), self.local.path().to_owned()] {
            let left: Vec<_> =
                walk(&folder).into_iter().filter(|path| path.to_string_lossy().contains(".fabrs")).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

pub(super) fn open_folder(sshd: &Sshd) -> PathBuf {
    let folder = sshd.scratch().join("open");
    fs::create_dir(&folder).expect("the directory is ours");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("the directory is ours");
    folder
}

/// Returns all files and symlinks below a directory.
pub(super) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder { found.extend(walk(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file exists").permissions().mode() & 0o7777
}

pub(super) fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("the file is text")
}
