//! The real `fab`, in a project whose path is the same in every run: so that what is compiled for it is compiled once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use fabrs_testing::{Fab, GitServer, SiteHosts};

/// A folder for a project and its repository; a second run beside this one waits.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Opens it, empty.
    pub(crate) fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e").join(name);
        fs::create_dir_all(&folder).expect("the folder is cargo's own");
        let lock = File::create(folder.with_added_extension("lock")).expect("the folder is cargo's own");
        lock.lock().expect("a local file can be locked");
        fs::remove_dir_all(&folder).and_then(|()| fs::create_dir_all(&folder)).expect("the folder is cargo's own");
        Self { folder, _lock: lock }
    }

    /// Serves its repository.
    pub(crate) fn serve(&self) -> GitServer {
        GitServer::start(&self.folder)
    }
}

/// Returns a run of `fab staging` in a work tree, for the hosts of a fleet, where there is no terminal.
pub(crate) fn fab(origin: &GitServer, fleet: &SiteHosts, words: &[&str]) -> Fab {
    let test = std::env::current_exe().expect("a process knows its own program");
    let profile = test.ancestors().nth(2).expect("target/debug/deps/e2e");
    let fab = Fab::new(profile.join("fab")).current_dir(origin.tree());
    fab.arg("-S").arg(fleet.ssh_config()).arg("staging").args(words).own_session()
}
