//! The tool that a `tasks.rs` becomes: reads its arguments, plans, runs, and says what came of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fabrs_core::config::{
    Config, Environment, Inventory, PasswordFrom, Selection, Settings, Variables, excluded_hosts, typed_hosts_with,
};
use fabrs_core::event::{Event, json_line};
use fabrs_core::{Error, ErrorKind, Registry, Result};
use fabrs_project::{FileTrust, check_identity, check_vagrantfile};
use tokio::runtime::Builder;

use crate::core_dumps;
use crate::demo::{self, Asked};
use crate::help;
use crate::interrupt::Interrupts;
use crate::open_files;
use crate::run::Run;
use crate::show::print;
use crate::typed::Typed;

/// Runs the tasks that are linked into this program by its command line: the whole of a generated `main`.
///
/// `project` is the hash that the launcher compiled in, so that one project's tool is never taken for another's.
pub fn main(project: &str) -> ExitCode {
    if let Some(code) = demo::arrive() {
        return code;
    }
    let asked = check_identity(project);
    finish(asked.and_then(|tasks| run(&Registry::linked(), tasks.as_deref().and_then(Path::parent))))
}

/// Runs the tasks of a registry by this program's command line, for a program that names its tasks itself.
pub fn main_with(registry: &Registry) -> ExitCode {
    if let Some(code) = demo::arrive() {
        return code;
    }
    finish(run(registry, None))
}

/// Ends a program: an error that nobody has shown is shown, and its code returned.
pub(crate) fn finish(result: Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            let code = error.exit_code().code();
            tell(&error, code);
            ExitCode::from(code)
        }
    }
}

/// Shows the error of a run that ended before it had hosts. With `--json`, it is the last event as well.
fn tell(error: &Error, exit_code: u8) {
    use std::io::Write;

    // Where stderr is closed there is nobody to tell; the exit code still does.
    let _ = writeln!(std::io::stderr(), "{}", error.block());
    if is_json() {
        let event = Event::RunEnded { exit_code, outcomes: &[], error: Some(error) };
        let _ = print(&json_line(&event));
    }
}

/// Tells whether `--json` was typed, also where the command line can't be read as a whole.
fn is_json() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}

/// Runs a command line against tasks; `root` is the project's folder, the current one where there is none.
pub(crate) fn run(registry: &Registry, root: Option<&Path>) -> Result<ExitCode> {
    let root = root.map_or_else(PathBuf::new, Path::to_path_buf);
    // The launcher has checked a project already; a program that is started otherwise may stand in any folder.
    let has_config = FileTrust::from_env().check_config(&root)?;
    let config = if has_config { Config::find(&root)? } else { Config::default() };
    let names: Vec<&str> = config.environments().iter().map(Environment::name).collect();
    registry.check(names.iter().copied())?;
    let typed = Typed::parse(words()?, registry, &names)?;
    if typed.globals.version {
        print(&version())?;
    } else if let Some(task) = typed.topic {
        print(&help::task_page(task))?;
    } else if typed.globals.help {
        print(&help::page())?;
    } else if typed.globals.list {
        print(&list(&typed, registry, &config))?;
    } else {
        return work(typed, registry, &config, &root);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the list of tasks, for people or for programs.
fn list(typed: &Typed, registry: &Registry, config: &Config) -> String {
    if typed.globals.json { help::json_list(registry, config) } else { help::list(registry, config) }
}

/// Returns the line that `--version` prints.
pub(crate) fn version() -> String {
    format!("fab {}\n", env!("CARGO_PKG_VERSION"))
}

/// Returns the arguments of this process.
pub(crate) fn words() -> Result<Vec<String>> {
    let word = |word: std::ffi::OsString| {
        word.into_string().map_err(|bad| {
            Error::new(ErrorKind::Usage, format!("an argument is not UTF-8: `{}`", bad.to_string_lossy()))
        })
    };
    std::env::args_os().skip(1).map(word).collect()
}

/// Checks that the files are there that were named, and not in the middle of a deploy.
fn check_files(settings: &Settings) -> Result<()> {
    if let Some(path) = settings.identities.iter().find(|path| !path.exists()) {
        let error = Error::new(ErrorKind::Usage, format!("there is no private key `{}`", path.display()));
        return Err(error.hint("`-i` takes the path of one"));
    }
    if let PasswordFrom::File(path) = &settings.sudo_password {
        std::fs::File::open(path).map_err(|source| {
            let text = format!("could not read the file with the sudo password, `{}`", path.display());
            Error::new(ErrorKind::Usage, text).caused_by(source)
        })?;
    }
    Ok(())
}

/// Does what was asked for: tasks, a line, or both in that order.
fn work(mut typed: Typed, registry: &Registry, config: &Config, root: &Path) -> Result<ExitCode> {
    // Before the first secret is read. A program that embeds the core decides for itself.
    core_dumps::disable();
    let variables = Variables::from_env();
    let inventory = Inventory::new(config, typed.environment.as_deref())?;
    let inventory = inventory.with_checked_vagrant(root, check_vagrantfile);
    let mut settings = typed.globals.settings().or_variables(&variables);
    if let Some(environment) = inventory.environment() {
        settings = settings.or_environment(environment);
    }
    check_files(&settings)?;
    let asked = Asked::default();
    let inventory = inventory
        .with_hosts(typed_hosts_with(&typed.globals.hosts, &|name| asked.hosts(name))?)
        .standing_in(asked.names())
        .without_hosts(excluded_hosts(&typed.globals.excluded, &demo::named)?)
        .with_settings(&settings);
    if typed.calls.is_empty() && typed.line.is_none() {
        match registry.default_task() {
            Some(task) => typed.calls.push((task.bind)(&fabrs_core::task::RawArgs::new(task))?),
            None => {
                print(&list(&typed, registry, config))?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    if typed.line.as_ref().is_some_and(|line| line.trim().is_empty()) {
        let error = Error::new(ErrorKind::Usage, "there is no line after `--`");
        return Err(error.hint("`fab -H HOST -- uname -a` runs one"));
    }
    // Before another program is asked for hosts: a mistake in a role is told at once.
    let selections = typed.selections();
    inventory.check_roles(&selections.iter().filter_map(|selection| selection.role()).collect::<Vec<_>>())?;
    // After cargo has compiled the tasks: it keeps the limit of the user.
    open_files::raise_limit();
    let demo = asked.start(&settings)?;
    let start = |mut runtime: Builder| {
        let runtime = runtime.enable_all().build();
        runtime.map_err(|source| Error::new(ErrorKind::Internal, "could not start the runtime").caused_by(source))
    };
    // Signals have a runtime of their own: tasks that block all threads of the other one do not delay them.
    let (guard, runtime) = (start(Builder::new_current_thread())?, start(Builder::new_multi_thread())?);
    let mut interrupts = guard
        .block_on(async { Interrupts::new() })
        .map_err(|source| Error::new(ErrorKind::Internal, "could not listen for signals").caused_by(source))?;
    match guard.block_on(interrupts.unless(inventory.prepare(selections))) {
        Ok(prepared) => prepared?,
        Err(interrupted) => {
            let error = Error::new(ErrorKind::Cancelled, "the run was stopped, nothing was run");
            tell(&error, interrupted.number());
            return Ok(interrupted.exit_code());
        }
    }
    let line_hosts = match &typed.line {
        Some(_) => inventory.hosts_for(Selection::Inherit)?.len(),
        None => 0,
    };
    let one_line_on_one_host = typed.calls.is_empty() && line_hosts == 1;
    let root = root.to_owned();
    let run = Run { typed, settings, inventory, variables, demo, root, one_line_on_one_host };
    // The work of the run is on a worker, not on this thread: what a command's future, its carrier and its session say to
    // each other then stays on one thread, which halves the time of a short command.
    let code = guard.block_on(run.finish(interrupts, runtime.handle()));
    // A thread that still waits for an answer, or for a plain task, must not keep a run that was ended.
    runtime.shutdown_background();
    code
}
