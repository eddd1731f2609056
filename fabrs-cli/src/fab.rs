//! Entry point of the `fab` command: runs a shell line itself, and replaces itself by the compiled
//! tool of the project to run tasks.

use std::path::Path;
use std::process::ExitCode;

use fabrs_core::shell::quote;
use fabrs_core::{Error, ErrorKind, Registry, Result};
use fabrs_launcher::ProcessEnvironment;
use fabrs_project::{Project, check_project};

use crate::arguments::{CommandLine, process_arguments};
use crate::core_dumps;
use crate::demo;
use crate::display::print;
use crate::exit::exit_code_of;
use crate::help;
use crate::precompile_check;
use crate::tool::run_command_line;

/// Runs the `fab` command with the arguments of this process, and returns its exit code.
///
/// For tasks, this function does not return: `execve` replaces the process by the compiled tool.
pub fn fab_main() -> ExitCode {
    if let Some(code) = demo::helper_main() {
        return code;
    }
    exit_code_of(run_fab())
}

fn run_fab() -> Result<ExitCode> {
    core_dumps::disable();
    let arguments = process_arguments()?;
    let (command_line, words) = CommandLine::parse_leading_options(arguments.clone())?;
    let options = leading_options(&arguments, &words);
    if command_line.options.version {
        print(&help::version_line())?;
        return Ok(ExitCode::SUCCESS);
    }
    if command_line.options.help && words.is_empty() {
        print(&help::general_page())?;
        return Ok(ExitCode::SUCCESS);
    }
    let environment = ProcessEnvironment::from_env();
    let trust = environment.file_trust();
    let project = Project::find(Path::new("."));
    // Must precede every read of a project file. Users with write access to the project can run
    // code here and on the hosts.
    match &project {
        Some(project) => check_project(project, &trust, environment.cwd())?,
        None => drop(trust.check_config(Path::new(""))?),
    }
    if command_line.shell_line.is_some() && needs_no_tasks(&words, project.as_ref())? {
        return run_command_line(&Registry::new(), project.as_ref().map(|project| project.root.as_path()));
    }
    let Some(project) = project else { return Err(missing_tasks_error(&command_line, &words, &options)) };
    // Reports a mistake in fabrs.toml within milliseconds instead of after minutes of compiling.
    precompile_check::check(&project, &words)?;
    let mut progress = fabrs_launcher::stderr_progress(&environment);
    let tool = fabrs_launcher::ensure_compiled(&project, &environment, &mut *progress)?;
    drop(progress);
    Err(fabrs_launcher::exec(&tool, &project, std::env::args_os().skip(1)))
}

/// Returns `true` if the command line has only options, an environment and a shell line.
fn needs_no_tasks(words: &[String], project: Option<&Project>) -> Result<bool> {
    let Some((first, rest)) = words.split_first() else { return Ok(true) };
    let config = match project {
        Some(project) => precompile_check::config(&project.root, Some(&project.tasks_file))?,
        None => precompile_check::config(Path::new(""), None)?,
    };
    if config.environment(first).is_err() {
        return Ok(false);
    }
    let (_, tasks) = CommandLine::parse_leading_options(rest.to_vec())?;
    Ok(tasks.is_empty())
}

/// Returns the options before the first other argument, quoted for a shell. A space follows each
/// option.
fn leading_options(arguments: &[String], words: &[String]) -> String {
    let before_line = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    let options = arguments.get(..before_line.saturating_sub(words.len())).unwrap_or_default();
    let quoted = options.iter().map(|option| quote(option).unwrap_or_default().into_owned() + " ");
    quoted.collect()
}

/// Returns the error for a missing `tasks.rs`, with a hint to run a shell line instead. `options`
/// are the options of the command line, quoted for a shell.
fn missing_tasks_error(command_line: &CommandLine, words: &[String], options: &str) -> Error {
    let error = Error::new(ErrorKind::Usage, "no tasks.rs in this directory or its parents");
    let Some(first) = words.first() else {
        return error.hint("see `fab --help`, or run a shell line: `fab -H HOST -- uname -a`");
    };
    let config = match precompile_check::config(Path::new(""), None) {
        Ok(config) => config,
        Err(error) => return error,
    };
    match (config.environment(first), &command_line.shell_line) {
        (Ok(_), _) => error.hint(format!("to run a shell line instead: `fab {options}{first} -- uname -a`")),
        (Err(unknown), Some(_)) => unknown,
        (Err(_), None) if command_line.options.hosts.is_empty() => {
            error.hint(format!("to run a shell line instead: `fab {options}-H HOST -- {first}`"))
        }
        (Err(_), None) => error.hint(format!("to run a shell line instead: `fab {options}-- {}`", words.join(" "))),
    }
}
