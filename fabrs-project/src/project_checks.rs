//! Trust in the files of a project: the folder, `tasks.rs`, `fabrs.toml` and the Vagrantfile.

use std::io;
use std::path::Path;

use fabrs_core::config::check_regular;
use fabrs_core::{Error, ErrorKind};

use crate::project::Project;
use crate::trust::check::FileTrust;

/// Checks the files of a project before anything is read from them: the folder, `tasks.rs` and `fabrs.toml`.
///
/// An error names `tasks.rs` relative to the folder `cwd`.
///
/// # Errors
///
/// [`ErrorKind::Usage`] naming a path that somebody else owns or can write to, and [`ErrorKind::Config`] if `tasks.rs` is
/// not a regular file or too large.
pub fn check_project(project: &Project, trust: &FileTrust, cwd: &Path) -> Result<(), Error> {
    let root = &project.root;
    trust.check(&project.found_path, root)?;
    trust.check(root, root)?;
    check_regular(&project.tasks_file).map_err(|source| project.read_error(cwd, source))?;
    trust.check_config(root).map(drop)
}

/// Checks the Vagrantfile that Vagrant is about to run, and its folder.
///
/// # Errors
///
/// [`ErrorKind::Usage`] as of [`check_project`].
pub fn check_vagrantfile(file: &Path) -> Result<(), Error> {
    let (trust, folder) = (FileTrust::from_env(), file.parent().unwrap_or(file));
    trust.check(file, folder)?;
    trust.check(folder, folder)
}

impl Project {
    /// Makes the error for a `tasks.rs` that can't be read, named relative to `cwd`.
    pub fn read_error(&self, cwd: &Path, source: io::Error) -> Error {
        Error::new(ErrorKind::Config, format!("could not read `{}`", self.display_path(cwd))).caused_by(source)
    }
}
