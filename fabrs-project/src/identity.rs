//! The identity of a project: `fab` passes the hash of the project to the compiled tool, and the
//! tool compares this hash with its own.
//!
//! A tool must never run for another project, even after files of the cache were swapped. So each
//! tool contains the hash of its project, and refuses to run with another hash.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process;

use fabrs_core::{Error, ErrorKind};

use crate::project::Project;

/// The environment variable with the process id of `fab` and the hash of the project: `PID:HASH`.
///
/// The process id stays the same when the tool replaces `fab` (`execve`). A program started by the
/// tool inherits the variable, but has another process id, and ignores the variable.
const PROJECT_VARIABLE: &str = "FABRS_PROJECT";
/// The environment variable with the path of `tasks.rs`.
const TASKS_VARIABLE: &str = "FABRS_TASKS";

impl Project {
    /// Returns the environment variables that pass the identity of the project to its tool.
    ///
    /// The variables are valid only for a tool that replaces this process.
    pub fn identity(&self) -> [(&'static str, OsString); 2] {
        let project = format!("{}:{}", process::id(), self.hash());
        [(PROJECT_VARIABLE, project.into()), (TASKS_VARIABLE, self.tasks_file.clone().into())]
    }
}

/// Compares the project requested by `fab` with the project of this tool. `embedded` is the hash
/// compiled into the tool.
///
/// Returns the path of `tasks.rs`, or `None` if `fab` did not start this process.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if `fab` requested another project.
pub fn check_identity(embedded: &str) -> Result<Option<PathBuf>, Error> {
    compare(embedded, |name| env::var_os(name).filter(|value| !value.is_empty()))
}

fn compare(embedded: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<PathBuf>, Error> {
    let project = variable(PROJECT_VARIABLE);
    let Some(project) = project.as_deref().and_then(OsStr::to_str) else { return Ok(None) };
    let Some(hash) = project.strip_prefix(&format!("{}:", process::id())) else { return Ok(None) };
    if hash == embedded {
        return Ok(variable(TASKS_VARIABLE).map(PathBuf::from));
    }
    let this = env::current_exe().unwrap_or_default();
    Err(Error::new(ErrorKind::Internal, format!("`{}` holds the tasks of another project", this.display()))
        .hint(format!("remove the file to compile it again: `rm '{}'`", this.display())))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn started_with(project: String) -> impl Fn(&str) -> Option<OsString> {
        move |name| Some(if name == PROJECT_VARIABLE { project.clone().into() } else { "/shop/tasks.rs".into() })
    }

    #[test]
    fn a_tool_accepts_the_identity_of_its_own_project() {
        let project = Project::from_tasks_file(Path::new("/shop/tasks.rs")).unwrap();
        let identity = project.identity();
        let variable = |name: &str| identity.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
        assert_eq!(compare(&project.hash(), variable).unwrap(), Some(project.tasks_file));
    }

    #[test]
    fn a_tool_of_another_project_does_not_start() {
        let variable = started_with(format!("{}:other", process::id()));
        assert_eq!(compare("mine", variable).unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn the_identity_passed_to_another_process_is_ignored() {
        assert_eq!(compare("mine", started_with(format!("1{}:other", process::id()))).unwrap(), None);
        assert_eq!(compare("mine", |_| None).unwrap(), None);
    }
}
