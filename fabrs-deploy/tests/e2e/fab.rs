//! Runs of the real `fab` in a project with a fixed path, so `tasks.rs` is compiled only once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use fabrs_testing::{Fab, GitServer, SiteHosts};

/// A directory for a project and its repository. Parallel test runs wait for each other.
#[derive(Debug)]
pub(crate) struct ProjectDir {
    folder: PathBuf,
    _lock: File,
}

impl ProjectDir {
    /// Locks the directory and empties it.
    pub(crate) fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e").join(name);
        fs::create_dir_all(&folder).expect("the target directory is writable");
        let lock = File::create(folder.with_added_extension("lock")).expect("the target directory is writable");
        lock.lock().expect("a local file can be locked");
        fs::remove_dir_all(&folder)
            .and_then(|()| fs::create_dir_all(&folder))
            .expect("the target directory is writable");
        Self { folder, _lock: lock }
    }

    /// Starts the git server of the repository.
    pub(crate) fn serve(&self) -> GitServer {
        GitServer::start(&self.folder)
    }
}

/// Returns a run of `fab staging` in a work tree, for the hosts of a fleet, without a terminal.
pub(crate) fn fab(origin: &GitServer, fleet: &SiteHosts, words: &[&str]) -> Fab {
    let test = std::env::current_exe().expect("the path of the test program");
    let profile = test.ancestors().nth(2).expect("target/debug/deps/e2e");
    let fab = Fab::new(profile.join("fab")).current_dir(origin.tree());
    fab.arg("-S").arg(fleet.ssh_config()).arg("staging").args(words).own_session()
}
