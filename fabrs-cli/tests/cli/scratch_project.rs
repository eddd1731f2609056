//! Projects written and edited by tests, and compiled by a real cargo.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fabrs_testing::Fab;

use crate::fixtures::FAB;

/// Maximum time to compile on a busy machine.
const COMPILING: Duration = Duration::from_mins(10);

/// A directory for edited projects. The path is equal in every test run, so the cache does not grow
/// with each run. A concurrent test run waits for the lock.
pub(crate) struct ScratchProject {
    folder: PathBuf,
    _lock: File,
}

impl ScratchProject {
    /// Locks the directory and removes the content.
    pub(crate) fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fab projects").join(name);
        fs::create_dir_all(&folder).expect("the test owns the directory");
        let lock = File::create(folder.with_added_extension("lock")).expect("the test owns the directory");
        lock.lock().expect("a local file can be locked");
        fs::remove_dir_all(&folder).expect("the test owns the directory");
        Self { folder, _lock: lock }
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("the path has a parent")).expect("the test owns the directory");
        fs::write(path, text).expect("the test owns the directory");
    }

    /// Returns the path of a file or directory in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Returns a run in a subdirectory.
    pub(crate) fn fab(&self, project: &str) -> Fab {
        Fab::new(FAB).limit(COMPILING).current_dir(self.path(project))
    }
}
