//! The `fab` command: a shell line needs nothing else; for tasks it becomes the project's tool.

use std::path::Path;
use std::process::ExitCode;

use fabrs_core::config::Config;
use fabrs_core::{Error, ErrorKind, Registry, Result};

use crate::help;
use crate::launcher::{self, Environment};
use crate::show::print;
use crate::tool::{finish, run, version, words};
use crate::typed::Typed;

/// Runs `fab` with the arguments of this process.
pub fn fab() -> ExitCode {
    finish(start())
}

fn start() -> Result<ExitCode> {
    let (typed, words) = Typed::options_only(words()?)?;
    if typed.globals.version {
        print(&version())?;
        return Ok(ExitCode::SUCCESS);
    }
    if typed.globals.help && words.is_empty() {
        print(&help::page())?;
        return Ok(ExitCode::SUCCESS);
    }
    let project = launcher::find(Path::new("."));
    let root = project.as_ref().map(|project| project.root.as_path());
    if typed.line.is_some() && needs_no_tasks(&words, root)? {
        return run(&Registry::new(), root);
    }
    let Some(project) = project else { return Err(no_tasks(&words)) };
    let environment = Environment::of_process();
    let mut progress = launcher::on_stderr(&environment);
    let tool = launcher::prepare(&project, &environment, &mut *progress)?;
    drop(progress);
    Err(launcher::exec(&tool, &project, std::env::args_os().skip(1)))
}

/// Tells whether only a shell line is to be run: nothing stands before it but an environment, and options.
fn needs_no_tasks(words: &[String], root: Option<&Path>) -> Result<bool> {
    let Some(first) = words.first() else { return Ok(true) };
    let config = Config::find(root.unwrap_or(Path::new(".")))?;
    let is_environment = config.environments().iter().any(|environment| environment.name() == first);
    Ok(is_environment && words.iter().skip(1).all(|word| word.starts_with('-')))
}

fn no_tasks(words: &[String]) -> Error {
    let error = Error::new(ErrorKind::Usage, "there is no tasks.rs here or in a folder above");
    match words.first() {
        Some(word) => error.hint(format!("to run a shell line instead: `fab -H HOST -- {word}`")),
        None => error.hint("`fab --help` shows what works without one"),
    }
}
