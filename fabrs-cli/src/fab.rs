//! The `fab` command: a shell line needs nothing else; for tasks it becomes the project's tool.

use std::path::Path;
use std::process::ExitCode;

use fabrs_core::config::Config;
use fabrs_core::{Error, ErrorKind, Registry, Result};

use crate::demo;
use crate::help;
use crate::launcher::{self, Environment};
use crate::show::print;
use crate::tool::{finish, run, version, words};
use crate::typed::Typed;

/// Runs `fab` with the arguments of this process.
pub fn fab() -> ExitCode {
    if let Some(code) = demo::arrive() {
        return code;
    }
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
    if typed.line.is_some() && is_only_a_line(&words, root)? {
        return run(&Registry::new(), root);
    }
    let Some(project) = project else { return Err(no_tasks(&typed, &words)) };
    let environment = Environment::of_process();
    let mut progress = launcher::on_stderr(&environment);
    let tool = launcher::prepare(&project, &environment, &mut *progress)?;
    drop(progress);
    Err(launcher::exec(&tool, &project, std::env::args_os().skip(1)))
}

/// Tells whether only a shell line is to be run: nothing stands before it but an environment, and options.
fn is_only_a_line(words: &[String], root: Option<&Path>) -> Result<bool> {
    let Some((first, rest)) = words.split_first() else { return Ok(true) };
    if Config::find(root.unwrap_or(Path::new("")))?.environment(first).is_err() {
        return Ok(false);
    }
    let (_, tasks) = Typed::options_only(rest.to_vec())?;
    Ok(tasks.is_empty())
}

/// Says that there are no tasks, and what works without.
fn no_tasks(typed: &Typed, words: &[String]) -> Error {
    let error = Error::new(ErrorKind::Usage, "there is no tasks.rs here or in a folder above");
    let Some(first) = words.first() else { return error.hint("`fab --help` shows what works without one") };
    let config = match Config::find(Path::new("")) {
        Ok(config) => config,
        Err(error) => return error,
    };
    match (config.environment(first), &typed.line) {
        (Ok(_), _) => error.hint(format!("a shell line needs none: `fab {first} -- uname -a`")),
        (Err(unknown), Some(_)) => unknown,
        (Err(_), None) => error.hint(format!("to run a shell line instead: `fab -H HOST -- {first}`")),
    }
}
