//! The tool that a `tasks.rs` becomes: reads its arguments, plans, runs, and says what came of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use fabrs_core::config::{
    Config, Environment, Input, Inventory, Mode, Settings, Unreachable, Variables, Wanted, typed_hosts,
};
use fabrs_core::event::{Event, Sink};
use fabrs_core::group::{Group, Outcome};
use fabrs_core::transport::{Ask, Level, NoInput, Terminal};
use fabrs_core::{Client, Error, ErrorKind, Executor, Plan, Registry, Result, ShellLine};

use crate::help;
use crate::interrupt::{Interrupted, Interrupts};
use crate::launcher;
use crate::show::{Screen, print, summary};
use crate::typed::Typed;

/// Runs the tasks that are linked into this program by its command line: the whole of a generated `main`.
///
/// `project` is the hash that the launcher compiled in, so that one project's tool is never taken for another's.
pub fn main(project: &str) -> ExitCode {
    let asked = launcher::arrive(project, &launcher::Environment::of_process());
    finish(asked.and_then(|tasks| run(&Registry::linked(), tasks.as_deref().and_then(Path::parent))))
}

/// Runs the tasks of a registry by this program's command line, for a program that names its tasks itself.
pub fn main_with(registry: &Registry) -> ExitCode {
    finish(run(registry, None))
}

/// Ends a program: an error that nobody has shown is shown, and its code returned.
pub(crate) fn finish(result: Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write;

            // Where stderr is closed there is nobody to tell; the exit code still does.
            let _ = writeln!(std::io::stderr(), "{}", error.block());
            ExitCode::from(error.exit_code().code())
        }
    }
}

/// Runs a command line against tasks; `root` is the project's folder, the current one where there is none.
pub(crate) fn run(registry: &Registry, root: Option<&Path>) -> Result<ExitCode> {
    let root = root.map_or_else(PathBuf::new, Path::to_path_buf);
    let config = Config::find(&root)?;
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
        print(&help::list(registry, &config))?;
    } else {
        return work(typed, registry, &config);
    }
    Ok(ExitCode::SUCCESS)
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

/// Does what was asked for: tasks, a line, or both in that order.
fn work(mut typed: Typed, registry: &Registry, config: &Config) -> Result<ExitCode> {
    let variables = Variables::from_env();
    let inventory = Inventory::new(config, typed.environment.as_deref())?;
    let mut settings = typed.globals.settings().or_variables(&variables);
    if let Some(environment) = inventory.environment() {
        settings = settings.or_environment(environment);
    }
    let inventory = inventory.with_hosts(typed_hosts(&typed.globals.hosts)?).with_settings(&settings);
    if typed.calls.is_empty() && typed.line.is_none() {
        match registry.default_task() {
            Some(task) => typed.calls.push((task.bind)(&fabrs_core::task::RawArgs::new(task))?),
            None => {
                print(&help::list(registry, config))?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let line_hosts = match &typed.line {
        Some(line) if line.trim().is_empty() => {
            let error = Error::new(ErrorKind::Usage, "there is no line after `--`");
            return Err(error.hint("`fab -H HOST -- uname -a` runs one"));
        }
        Some(_) => inventory.hosts_for(&Wanted::Inherit)?.len(),
        None => 0,
    };
    let one_line_on_one_host = typed.calls.is_empty() && line_hosts == 1;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::new(ErrorKind::Internal, "could not start the runtime").caused_by(source))?;
    let session = Session { typed, settings, inventory, variables, one_line_on_one_host };
    // On a worker, not on this thread: what a command's future, its carrier and its session say to each other then
    // stays on one thread, which halves the time of a short command.
    let code = runtime.block_on(runtime.spawn(session.run()));
    let code = code.unwrap_or_else(|source| Err(Error::new(ErrorKind::Internal, "the run panicked").caused_by(source)));
    // A thread that still waits for an answer, or for a plain task, must not keep a run that was ended.
    runtime.shutdown_background();
    code
}

/// One run of the tool.
struct Session {
    typed: Typed,
    settings: Settings,
    inventory: Inventory,
    variables: Variables,
    one_line_on_one_host: bool,
}

impl Session {
    async fn run(self) -> Result<ExitCode> {
        let interrupts = Interrupts::new()
            .map_err(|source| Error::new(ErrorKind::Internal, "could not listen for signals").caused_by(source))?;
        let broken = fabrs_core::transport::RunStop::default();
        let sign = broken.clone();
        let screen = Screen::new(&self.typed.globals, self.one_line_on_one_host, &self.variables, move || {
            sign.raise(Level::Stop);
        });
        let client = self.client(&screen.sink);
        let say = |text: &str| screen.note(&format!("{text}\n"));
        let work = async {
            // Nobody reads a single line's output any more, so it ends as it would in a pipe of the shell. Tasks go on:
            // a deploy must not be half done because the reader of its log went away.
            let gone = broken.above(Level::Run);
            tokio::select! {
                result = self.steps(&client, &screen) => result,
                _ = gone, if self.typed.calls.is_empty() => {
                    client.stop().raise(Level::Stop);
                    Ok(ExitCode::from(128 + 13))
                }
            }
        };
        let (result, interrupted) = interrupts.guard(&client, say, work).await;
        if result.is_some() {
            client.close().await;
        }
        let code = match result {
            Some(Err(error)) => {
                screen.error(&error);
                Ok(ExitCode::from(error.exit_code().code()))
            }
            Some(Ok(code)) => Ok(code),
            None => Ok(ExitCode::FAILURE),
        };
        let sink = Arc::clone(&screen.sink);
        // The writer may wait for a terminal; the thread of the runtime must not.
        drop(tokio::task::spawn_blocking(move || sink.finish()).await);
        match interrupted {
            Some(Interrupted(kind)) => Ok(ExitCode::from(128 + u8::try_from(kind.as_raw_value()).unwrap_or(2))),
            None => code,
        }
    }

    fn client(&self, sink: &Arc<dyn Sink>) -> Client {
        let builder = Client::builder()
            .settings(self.settings.clone())
            .inventory(self.inventory.clone())
            .ahead(!self.typed.calls.is_empty())
            .sink(Arc::clone(sink));
        if self.typed.globals.echo { builder.echo().build() } else { builder.build() }
    }

    /// Runs the tasks, then the line.
    async fn steps(&self, client: &Client, screen: &Screen) -> Result<ExitCode> {
        self.confirm().await?;
        let mut code = ExitCode::SUCCESS;
        if !self.typed.calls.is_empty() {
            let plan = Plan::new(self.typed.calls.clone(), client)?;
            let report = Executor::new(client.clone()).run(&plan).await;
            if !self.typed.globals.json {
                screen.note(&summary(&report));
            }
            code = ExitCode::from(report.exit_code().code());
            if !report.is_ok() {
                return Ok(code);
            }
        }
        match &self.typed.line {
            Some(line) => self.line(line, client, screen).await,
            None => Ok(code),
        }
    }

    /// Asks for the name of a protected environment before anything is changed in it.
    async fn confirm(&self) -> Result<()> {
        let Some(environment) = self.inventory.environment().filter(|environment| environment.is_protected()) else {
            return Ok(());
        };
        if self.settings.assume_yes || self.settings.mode == Mode::DryRun {
            return Ok(());
        }
        let name = environment.name();
        let question = format!("`{name}` is protected; type its name to go on: ");
        let answer = match self.settings.input {
            Input::Allowed => Terminal::default().line(&question).await,
            Input::Refused => NoInput.line(&question).await,
        };
        let answer = answer.map_err(|error| error.hint("`-y` answers for you"))?;
        if answer.trim() == name {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Prompt, format!("`{name}` was not confirmed, nothing was run")))
    }

    /// Runs the line after `--` on every host.
    async fn line(&self, line: &str, client: &Client, screen: &Screen) -> Result<ExitCode> {
        let hosts = client.inventory().hosts_for(&Wanted::Inherit)?;
        let group = Group::of(client, &hosts)?.limit(self.settings.at_once().get());
        let group = match self.settings.unreachable {
            Unreachable::Skip => group.skip_unreachable(),
            Unreachable::Fail => group,
        };
        let line = ShellLine::raw(line);
        let outcomes = group.each(|host| host.run(&line)).await;
        let mut codes = Vec::new();
        for (host, outcome) in &outcomes {
            if let Outcome::Skipped(error) = outcome {
                let text = format!("left out: {}", error.doing());
                screen.sink.event(&Event::Warning { host: Some(host), text: &text });
            } else if let Some(error) = outcome.error() {
                // The one line's own status says all there is to say; of several hosts it must be said which.
                if !(self.one_line_on_one_host && error.kind() == ErrorKind::Exit) {
                    screen.error(&error.clone().without_location());
                }
                if self.one_line_on_one_host
                    && let (ErrorKind::Exit, Some(output)) = (error.kind(), error.output())
                {
                    return Ok(ExitCode::from(u8::try_from(output.status()?.shell_code()).unwrap_or(u8::MAX)));
                }
                codes.push(error.exit_code());
            } else if !outcome.is_ok() {
                let text = format!("{}: {}", host.label(), outcome.word().as_str());
                screen.sink.event(&Event::Warning { host: None, text: &text });
                codes.push(fabrs_core::ExitCode::Failed);
            }
        }
        Ok(ExitCode::from(fabrs_core::ExitCode::worst(codes).code()))
    }
}
