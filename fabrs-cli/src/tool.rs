//! Entry point of the tool compiled from a `tasks.rs`: parses arguments, resolves settings and
//! hosts, and starts the run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fabrs_core::config::{
    Config, Environment, Inventory, PasswordSource, ProcessEnv, Selection, Settings, SshConfigSource,
    parse_excluded_hosts, parse_host_args_with,
};
use fabrs_core::{Error, ErrorKind, Registry, Result};
use fabrs_project::{FileTrust, check_identity, check_ssh_config, check_vagrantfile};
use tokio::runtime::Builder;

use crate::arguments::{CommandLine, process_arguments};
use crate::core_dumps;
use crate::demo::{self, RequestedHosts};
use crate::display::print;
use crate::exit::{exit_code_of, report_error};
use crate::help;
use crate::interrupt::SignalListener;
use crate::open_files;
use crate::run::Run;

/// Runs the linked tasks as requested by the command line of this process.
///
/// A generated `main` function contains only this call. `project` is the hash of the project,
/// compiled in by the launcher, so that the tool of another project is never run by mistake.
pub fn main(project: &str) -> ExitCode {
    if let Some(code) = demo::helper_main() {
        return code;
    }
    let tasks = check_identity(project);
    exit_code_of(tasks.and_then(|tasks| run_command_line(&Registry::linked(), tasks.as_deref().and_then(Path::parent))))
}

/// Runs the tasks of `registry` as requested by the command line of this process.
///
/// For programs that register their tasks explicitly.
pub fn main_with(registry: &Registry) -> ExitCode {
    if let Some(code) = demo::helper_main() {
        return code;
    }
    exit_code_of(run_command_line(registry, None))
}

/// Runs the command line of this process with the tasks of `registry`. `root` is the directory of
/// the project; `None` stands for the current directory.
pub(crate) fn run_command_line(registry: &Registry, root: Option<&Path>) -> Result<ExitCode> {
    let root = root.map_or_else(PathBuf::new, Path::to_path_buf);
    // The launcher has already checked the project. A tool started directly may run in any
    // directory, so check again.
    let has_config = FileTrust::from_env().check_config(&root)?;
    let config = if has_config { Config::find(&root)? } else { Config::default() };
    let names: Vec<&str> = config.environments().iter().map(Environment::name).collect();
    registry.check(names.iter().copied())?;
    // A task wins over a built-in environment of the same name.
    let has_task = registry.find(Environment::VAGRANT_NAME).is_some();
    let config = if has_task { config } else { config.with_vagrant_environment(&root) };
    let names: Vec<&str> = config.environments().iter().map(Environment::name).collect();
    let command_line = CommandLine::parse(process_arguments()?, registry, &names)?;
    if command_line.options.version {
        print(&help::version_line())?;
    } else if let Some(task) = command_line.help_task {
        print(&help::task_page(task))?;
    } else if command_line.options.help {
        print(&help::general_page())?;
    } else if command_line.options.list {
        print(&list_page(&command_line, registry, &config))?;
    } else {
        return start_run(command_line, registry, &config, &root);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the list of tasks as text, or as JSON with `--json`.
fn list_page(command_line: &CommandLine, registry: &Registry, config: &Config) -> String {
    if command_line.options.json { help::json_task_list(registry, config) } else { help::task_list(registry, config) }
}

/// Checks files named by options now, because a missing file must not fail in the middle of a
/// deploy.
fn check_option_files(settings: &Settings) -> Result<()> {
    if let Some(path) = settings.identities.iter().find(|path| !path.exists()) {
        let error = Error::new(ErrorKind::Usage, format!("no private key at `{}`", path.display()));
        return Err(error.hint("pass the path of a private key: `-i ~/.ssh/id_ed25519`"));
    }
    if let PasswordSource::File(path) = &settings.sudo_password {
        std::fs::File::open(path).map_err(|source| {
            let text = format!("could not read the sudo password file `{}`", path.display());
            Error::new(ErrorKind::Usage, text).caused_by(source)
        })?;
    }
    Ok(())
}

/// Prepares and starts a run: tasks, a shell line, or both in this order.
fn start_run(mut command_line: CommandLine, registry: &Registry, config: &Config, root: &Path) -> Result<ExitCode> {
    // Must precede the first read of a secret. A program that embeds fabrs makes this choice
    // itself.
    core_dumps::disable();
    let variables = ProcessEnv::from_env();
    let inventory = Inventory::new(config, command_line.environment.as_deref())?;
    let inventory = inventory.with_checked_vagrant(root, check_vagrantfile);
    let mut settings = command_line.options.settings().or_process_env(&variables);
    if let Some(environment) = inventory.environment() {
        settings = settings.or_environment(environment);
        if settings.ssh_config == SshConfigSource::Default {
            environment.ssh_config_files().try_for_each(check_ssh_config)?;
        }
    }
    check_option_files(&settings)?;
    let requested = RequestedHosts::default();
    let inventory = inventory
        .with_hosts(parse_host_args_with(&command_line.options.hosts, &|name| requested.hosts(name))?)
        .in_every_role(requested.names())
        .with_excluded(parse_excluded_hosts(&command_line.options.excluded, &demo::hosts_of)?)
        .with_settings(&settings);
    if command_line.calls.is_empty() && command_line.shell_line.is_none() {
        match registry.default_task() {
            Some(task) => command_line.calls.push((task.bind)(&fabrs_core::task::RawArgs::new(task))?),
            None => {
                print(&list_page(&command_line, registry, config))?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    if command_line.shell_line.as_ref().is_some_and(|line| line.trim().is_empty()) {
        let error = Error::new(ErrorKind::Usage, "missing shell line after `--`");
        return Err(error.hint("add a shell line: `fab -H HOST -- uname -a`"));
    }
    // Must precede the query of Vagrant, to report a wrong role at once.
    let selections = command_line.selections();
    inventory.check_roles(&selections.iter().filter_map(|selection| selection.role()).collect::<Vec<_>>())?;
    // Only the tool raises the limit; cargo has compiled the tasks under the limit of the user.
    open_files::raise_limit();
    let demo = requested.start(&settings)?;
    let start = |mut runtime: Builder| {
        let runtime = runtime.enable_all().build();
        runtime.map_err(|source| Error::new(ErrorKind::Internal, "could not start the runtime").caused_by(source))
    };
    // A separate runtime handles signals: tasks that block all threads of the other runtime must
    // not delay a signal.
    let (signal_runtime, runtime) = (start(Builder::new_current_thread())?, start(Builder::new_multi_thread())?);
    let mut signals = signal_runtime
        .block_on(async { SignalListener::new() })
        .map_err(|source| Error::new(ErrorKind::Internal, "could not listen for signals").caused_by(source))?;
    match signal_runtime.block_on(signals.run_until_signal(inventory.prepare(selections))) {
        Ok(prepared) => prepared?,
        Err(interruption) => {
            let error = Error::new(ErrorKind::Cancelled, "the run was stopped before the first command");
            report_error(&error, interruption.code());
            return Ok(interruption.exit_code());
        }
    }
    let line_hosts = match &command_line.shell_line {
        Some(_) => inventory.hosts_for(Selection::Inherit)?.len(),
        None => 0,
    };
    let is_passthrough = command_line.calls.is_empty() && line_hosts == 1;
    let root = root.to_owned();
    let run = Run { command_line, settings, inventory, variables, demo, root, is_passthrough };
    // The work runs on a worker thread instead of this thread. Then the future of a command, the
    // driver and the session share a thread. This halves the time of a short command.
    let code = signal_runtime.block_on(run.execute(signals, runtime.handle()));
    // Do not wait for threads still blocked in a prompt or a plain task.
    runtime.shutdown_background();
    code
}
