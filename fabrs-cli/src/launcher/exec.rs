//! From the launcher to the tool, which are one process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use fabrs_core::{Error, ErrorKind};

use super::environment::Environment;
use super::find::Project;

/// Says which project's tasks were asked for, and of which process: `PID:HASH`.
///
/// The process stays the same when the tool takes its place; a program that the tool starts has another number, and
/// does not take what it inherits for meant.
const ASKED: &str = "FABRS_PROJECT";
/// Says where that project's `tasks.rs` is.
const TASKS: &str = "FABRS_TASKS";

/// Replaces this process by a tool, and returns only if that fails.
pub fn exec(binary: &Path, project: &Project, args: impl Iterator<Item = OsString>) -> Error {
    let failure = command(binary, project, args).exec();
    let error = Error::new(ErrorKind::Local, format!("could not start `{}`", binary.display()));
    let error = match failure.kind() {
        std::io::ErrorKind::PermissionDenied => {
            error.hint("if programs can't be run from that folder, `FABRS_CACHE=FOLDER` names another")
        }
        _ => error,
    };
    error.caused_by(failure)
}

fn command(binary: &Path, project: &Project, args: impl Iterator<Item = OsString>) -> Command {
    let mut command = Command::new(binary);
    command
        .arg0("fab")
        .args(args)
        .env(ASKED, format!("{}:{}", process::id(), project.hash()))
        .env(TASKS, &project.tasks);
    command
}

/// Checks, in a tool that carries the hash `embedded`, that it is the one that was asked for.
///
/// Returns where its `tasks.rs` is, or nothing if no launcher started it.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the tasks of another project were asked for.
pub fn arrive(embedded: &str, environment: &Environment) -> Result<Option<PathBuf>, Error> {
    let Some(asked) = environment.get(ASKED).and_then(OsStr::to_str) else { return Ok(None) };
    let Some(hash) = asked.strip_prefix(&format!("{}:", process::id())) else { return Ok(None) };
    if hash == embedded {
        return Ok(environment.get(TASKS).map(PathBuf::from));
    }
    let this = env::current_exe().unwrap_or_default();
    Err(Error::new(ErrorKind::Internal, format!("`{}` holds the tasks of another project", this.display()))
        .hint(format!("remove it, and it is compiled anew: `rm '{}'`", this.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started_with(asked: String) -> Environment {
        Environment::new([(ASKED.into(), asked.into()), (TASKS.into(), "/shop/tasks.rs".into())], "/")
    }

    #[test]
    fn a_tool_is_told_whose_tasks_it_should_hold() {
        let project = Project::of(Path::new("/shop/tasks.rs")).unwrap();
        let command = command(Path::new("/cache/tool"), &project, ["--list".into()].into_iter());
        let variables: Vec<_> = command.get_envs().map(|(name, value)| (name.into(), value.unwrap().into())).collect();
        let environment = Environment::new(variables, "/");
        assert_eq!(arrive(&project.hash(), &environment).unwrap(), Some(project.tasks));
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--list"]);
    }

    #[test]
    fn a_tool_with_the_tasks_of_another_project_does_not_start() {
        let environment = started_with(format!("{}:other", process::id()));
        assert_eq!(arrive("mine", &environment).unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn what_was_said_to_another_process_is_not_heard() {
        let environment = started_with(format!("1{}:other", process::id()));
        assert_eq!(arrive("mine", &environment).unwrap(), None);
        assert_eq!(arrive("mine", &Environment::new([], "/")).unwrap(), None);
    }
}
