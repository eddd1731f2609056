//! Replaces the process of `fab` with the compiled tool (`execve`).

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use fabrs_core::{Error, ErrorKind};
use fabrs_project::Project;

/// Replaces this process with the tool, with the arguments `args`. Returns only on failure.
///
/// The tool receives the identity of the project in environment variables ([`Project::identity`]).
/// The returned error has the kind [`ErrorKind::Local`].
pub fn exec(binary: &Path, project: &Project, args: impl Iterator<Item = OsString>) -> Error {
    let failure = Command::new(binary).arg0("fab").args(args).envs(project.identity()).exec();
    let error = Error::new(ErrorKind::Local, format!("could not start `{}`", binary.display()));
    let error = match failure.kind() {
        std::io::ErrorKind::PermissionDenied => {
            error.hint("set `FABRS_CACHE` to a folder on a file system without `noexec`")
        }
        _ => error,
    };
    error.caused_by(failure)
}
