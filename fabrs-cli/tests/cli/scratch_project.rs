//! A place for projects that tests write and edit, and that are compiled by a real cargo.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fabrs_testing::Fab;

use crate::fixtures::FAB;

/// How long compiling may take on a machine that does much else.
const COMPILING: Duration = Duration::from_mins(10);

/// A folder for projects that are edited. Its path is the same in every run of the tests, so that the cache does not
/// grow with each; a second run beside this one waits.
pub(crate) struct ScratchProject {
    folder: PathBuf,
    _lock: File,
}

impl ScratchProject {
    /// Opens it, empty.
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

    /// Returns the path of a file or folder in it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Returns a run in one of the projects.
    pub(crate) fn fab(&self, project: &str) -> Fab {
        Fab::new(FAB).limit(COMPILING).current_dir(self.path(project))
    }
}
