//! Owner checks of project files: the folder, `tasks.rs`, `fabrs.toml`, the Vagrantfile and ssh
//! configs.

use std::io;
use std::path::Path;

use fabrs_core::config::check_regular;
use fabrs_core::{Error, ErrorKind};

use crate::project::Project;
use crate::trust::file_trust::FileTrust;

/// Checks the files of a project before any of them is read: the folder, `tasks.rs` and
/// `fabrs.toml`.
///
/// Errors show the path of `tasks.rs` relative to the folder `cwd`.
///
/// # Errors
///
/// - [`ErrorKind::Usage`] with the path, if another user owns or can write to a file or folder.
/// - [`ErrorKind::Config`] if `tasks.rs` is not a regular file, or too large.
pub fn check_project(project: &Project, trust: &FileTrust, cwd: &Path) -> Result<(), Error> {
    let root = &project.root;
    trust.check(&project.found_path, root)?;
    trust.check(root, root)?;
    check_regular(&project.tasks_file).map_err(|source| project.read_error(cwd, source))?;
    trust.check_config(root).map(drop)
}

/// Checks a Vagrantfile and its folder, before Vagrant runs the file.
///
/// # Errors
///
/// [`ErrorKind::Usage`] as for [`check_project`].
pub fn check_vagrantfile(file: &Path) -> Result<(), Error> {
    let (trust, folder) = (FileTrust::from_env(), file.parent().unwrap_or(file));
    trust.check(file, folder)?;
    trust.check(folder, folder)
}

/// Checks a file named by `ssh_config` in `fabrs.toml` before it is read, because an ssh config can
/// run programs (`ProxyCommand`). A missing file is skipped.
///
/// # Errors
///
/// [`ErrorKind::Usage`] as for [`check_project`].
pub fn check_ssh_config(file: &Path) -> Result<(), Error> {
    FileTrust::from_env().check_existing(file, file.parent().unwrap_or(file))
}

impl Project {
    /// Returns the error for a `tasks.rs` that can't be read. The path is relative to `cwd`.
    pub fn read_error(&self, cwd: &Path, source: io::Error) -> Error {
        Error::new(ErrorKind::Config, format!("could not read `{}`", self.display_path(cwd))).caused_by(source)
    }
}
