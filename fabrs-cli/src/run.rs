//! A run of the tool: from the client and its connections to the exit code.

use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use fabrs_core::config::{Confirmation, Environment, Inventory, Mode, ProcessEnv, Selection, Settings};
use fabrs_core::error::GroupedErrors;
use fabrs_core::event::{Event, OutcomeKind, Sink};
use fabrs_core::group::Group;
use fabrs_core::secret::Redactor;
use fabrs_core::transport::{StopLevel, StopSignal, restore_terminal};
use fabrs_core::{Client, Error, ErrorKind, Executor, ExitCode, Host, Plan, Result, ShellLine};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::arguments::CommandLine;
use crate::demo::DemoHosts;
use crate::display::Reporter;
use crate::fingerprint;
use crate::interrupt::{FirstSignal, SignalListener};
use crate::panic_hook;

/// Maximum time to drop the work of an aborted run.
const ABORT_TIMEOUT: Duration = Duration::from_millis(100);

/// A run: the parsed command line, and the settings and hosts resolved from it.
pub(crate) struct Run {
    pub(crate) command_line: CommandLine,
    pub(crate) settings: Settings,
    pub(crate) inventory: Inventory,
    pub(crate) variables: ProcessEnv,
    pub(crate) demo: Option<DemoHosts>,
    /// The directory of the project.
    pub(crate) root: PathBuf,
    /// True if the run is one shell line on one host. The output passes through unchanged, and the
    /// exit status is the exit code of `fab`.
    pub(crate) is_passthrough: bool,
}

impl Run {
    /// Runs the tasks and the shell line. Returns the exit code when all output is written and all
    /// connections are closed.
    ///
    /// The work runs on `runtime`, the signal handler on the runtime of the caller.
    pub(crate) async fn execute(self, signals: SignalListener, runtime: &Handle) -> Result<process::ExitCode> {
        let stdout_closed = StopSignal::default();
        let on_closed = stdout_closed.clone();
        let reporter = Reporter::new(&self.command_line.options, self.is_passthrough, &self.variables, move || {
            on_closed.raise(StopLevel::Stop);
        });
        let redactor = Redactor::default();
        // A shell line runs no local code that could print to stdout or stderr.
        let reporter =
            if self.command_line.calls.is_empty() { reporter } else { reporter.with_capture(redactor.clone()) };
        let reporter = Arc::new(reporter);
        panic_hook::install(reporter.note_function(), redactor.clone());
        let client = self.client(&reporter.sink, redactor);
        client.install_global();
        let announce = |text: &str| reporter.print_note(&format!("{text}\n"));
        let ended = CancellationToken::new();
        let mut work = JoinSet::new();
        let all =
            self.run_and_report(client.clone(), Arc::clone(&reporter), stdout_closed, signals.first(), ended.clone());
        work.spawn_on(all, runtime);
        let written = || reporter.output.written_bytes();
        match signals.stop_run_on_signals(&client, announce, &ended, written, work.join_next()).await {
            (Some(_), Some(interruption)) => Ok(interruption.exit_code()),
            (None, Some(interruption)) => {
                // Wait briefly until the work is dropped. Then restore the
                // settings of a terminal still used by a command.
                work.abort_all();
                drop(timeout(ABORT_TIMEOUT, work.join_next()).await);
                restore_terminal();
                Ok(interruption.exit_code())
            }
            // The panic hook has already printed the redacted message.
            (Some(Some(Err(_))), None) => Err(Error::new(ErrorKind::Internal, "the run panicked")),
            (Some(Some(Ok(code))), None) => Ok(code),
            (Some(None) | None, None) => Ok(process::ExitCode::FAILURE),
        }
    }

    /// Runs everything and reports the result. Cancels `ended` when only output remains to be
    /// written.
    async fn run_and_report(
        self,
        client: Client,
        reporter: Arc<Reporter>,
        stdout_closed: StopSignal,
        signal: FirstSignal,
        ended: CancellationToken,
    ) -> process::ExitCode {
        let mut outcomes = Vec::new();
        let result = self.run_until_stdout_closes(&client, &reporter, &stdout_closed, &mut outcomes).await;
        client.close().await;
        ended.cancel();
        if let Err(error) = &result {
            reporter.print_error(error);
        }
        let code = result.as_ref().map_or_else(|error| error.exit_code().code(), |code| *code);
        // A signal overrides the exit code of the outcomes.
        let exit_code = signal.exit_code().unwrap_or(code);
        client.sink().event(&Event::RunEnded { exit_code, outcomes: &outcomes, error: result.as_ref().err() });
        let sink = Arc::clone(&reporter.sink);
        // `finish` blocks while a terminal accepts no output, so it needs a blocking thread.
        drop(tokio::task::spawn_blocking(move || sink.finish()).await);
        reporter.exit_code(process::ExitCode::from(code))
    }

    /// Runs everything. A run without tasks ends early if stdout is closed.
    async fn run_until_stdout_closes(
        &self,
        client: &Client,
        reporter: &Reporter,
        stdout_closed: &StopSignal,
        outcomes: &mut Vec<(Host, OutcomeKind)>,
    ) -> Result<u8> {
        tokio::select! {
            result = self.run_all(client, reporter, outcomes) => result,
            // A shell line without a reader of its output ends as in a pipe of the shell. Tasks
            // continue: a deploy must not stop halfway because the reader of the log has exited.
            _ = stdout_closed.wait_above(StopLevel::None), if self.command_line.calls.is_empty() => {
                client.stop().raise(StopLevel::Stop);
                // A full disk is a failure; a closed pipe has the exit code of SIGPIPE.
                Ok(if reporter.output.is_reader_gone() { 128 + 13 } else { ExitCode::Failed.code() })
            }
        }
    }

    fn client(&self, sink: &Arc<dyn Sink>, redactor: Redactor) -> Client {
        let builder = Client::builder()
            .settings(self.settings.clone())
            .inventory(self.inventory.clone())
            .prefetch_channel(!self.command_line.calls.is_empty())
            .allow_local_programs()
            .redactor(redactor)
            .sink(Arc::clone(sink));
        let builder = if self.defers_approval() { builder.defer_approval() } else { builder };
        let builder = match &self.demo {
            Some(demo) => demo.dial_through(builder, &self.settings, sink),
            None => builder,
        };
        if self.command_line.options.echo { builder.echo().build() } else { builder.build() }
    }

    /// Adds everything that determines the effect of the run to its approval. Does nothing if the
    /// run neither shows nor accepts a fingerprint, because reading the program and the project
    /// takes time.
    fn add_fingerprint_inputs(&self, client: &Client) -> Result<()> {
        match (&self.settings.confirmation, self.settings.mode) {
            (Confirmation::Prompt | Confirmation::AssumeYes, Mode::Run) => Ok(()),
            _ => fingerprint::add_inputs(client, &self.command_line, &self.settings, &self.root),
        }
    }

    /// Runs the tasks, then the shell line.
    async fn run_all(
        &self,
        client: &Client,
        reporter: &Reporter,
        outcomes: &mut Vec<(Host, OutcomeKind)>,
    ) -> Result<u8> {
        // Report all errors of the plan before the first prompt.
        let plan = Plan::new(self.command_line.calls.clone(), client)?;
        self.warn_unused_exclusions(client.sink().as_ref())?;
        self.add_fingerprint_inputs(client)?;
        tokio::select! {
            approved = self.approve(client) => approved?,
            _ = client.stop().wait_above(StopLevel::None) => {
                return Err(Error::new(ErrorKind::Cancelled, "the run was stopped before the first command"));
            }
        }
        let tasks =
            if self.command_line.calls.is_empty() { None } else { Some(run_tasks(&plan, client, outcomes).await) };
        // The shell line does not depend on a complete plan of the tasks.
        let continues = matches!(tasks, None | Some(ExitCode::Ok | ExitCode::PlanIncomplete));
        let line = match &self.command_line.shell_line {
            Some(line) if continues => Some(self.run_shell_line(line, client, reporter, outcomes).await?),
            _ => None,
        };
        client.note_fingerprints();
        if !self.is_passthrough {
            self.note_dry_run(reporter, tasks == Some(ExitCode::PlanIncomplete));
        }
        let status = line.as_ref().and_then(|line| line.status);
        let codes = tasks.into_iter().chain(line.into_iter().flat_map(|line| line.codes));
        Ok(status.unwrap_or_else(|| ExitCode::worst(codes).code()))
    }

    /// Warns about hosts of `-x` that are not selected, because their names may be misspelled.
    fn warn_unused_exclusions(&self, sink: &dyn Sink) -> Result<()> {
        let selections = self.command_line.selections();
        // A task with `#[task(local)]` selects its hosts only when it runs.
        if selections.contains(&Selection::Local) {
            return Ok(());
        }
        for host in self.inventory.unused_exclusions(selections)? {
            let text = format!("`-x {host}` has no effect: the host is not selected");
            sink.event(&Event::Warning { host: None, text: &text });
        }
        Ok(())
    }

    /// Asks for approval of the run before the first change. If a task has `defer_approval`, the
    /// task asks instead.
    async fn approve(&self, client: &Client) -> Result<()> {
        if self.command_line.calls.iter().any(|call| call.task().defer_approval) {
            Ok(())
        } else {
            client.approve("").await
        }
    }

    /// Returns `true` if a task must obtain the approval before the first change.
    fn defers_approval(&self) -> bool {
        let is_protected = self.inventory.environment().is_some_and(Environment::is_protected);
        let is_asked = match &self.settings.confirmation {
            Confirmation::Prompt => is_protected,
            Confirmation::AssumeYes => false,
            _ => true,
        };
        is_asked && self.command_line.calls.iter().any(|call| call.task().defer_approval)
    }

    /// Prints a note that the dry run changed nothing, and reports an incomplete plan.
    fn note_dry_run(&self, reporter: &Reporter, is_incomplete: bool) {
        if self.settings.mode == Mode::DryRun && !self.command_line.options.json {
            let incomplete = if is_incomplete { "; the plan is incomplete" } else { "" };
            reporter.print_note(&format!("dry run: nothing was changed{incomplete}\n"));
        }
    }

    /// Runs the shell line after `--` on every host.
    async fn run_shell_line(
        &self,
        text: &str,
        client: &Client,
        reporter: &Reporter,
        all: &mut Vec<(Host, OutcomeKind)>,
    ) -> Result<ShellLineResult> {
        let hosts = client.inventory().hosts_for(Selection::Inherit)?;
        let group = Group::of(client, &hosts)?;
        let line = ShellLine::raw(text);
        let outcomes = group.each(|host| host.run(&line)).await;
        let mut result = ShellLineResult { is_single_host_line: self.is_passthrough, ..ShellLineResult::default() };
        for (host, outcome) in &outcomes {
            // The location is a line of this file, and has no meaning for the user.
            let error = outcome.error().map(|error| error.clone().without_location());
            let (kind, error) = (outcome.kind(), error.as_ref());
            client.sink().event(&Event::ShellLineEnded { line: text, host, outcome: kind, error });
            // The group has already printed a warning for a skipped host.
            if kind != OutcomeKind::Skipped {
                result.add(host, kind, error)?;
            }
            all.push((host.clone(), kind));
        }
        for block in result.errors.blocks(1) {
            reporter.print_block(&block);
        }
        if let Some(error) = outcomes.iter().find_map(|(_, outcome)| outcome.error())
            && outcomes.iter().all(|(_, outcome)| outcome.kind() == OutcomeKind::Skipped)
        {
            // All hosts were skipped, so the shell line ran nowhere.
            result.codes.push(error.exit_code());
        }
        let of_line = all.get(all.len() - outcomes.len()..).unwrap_or_default();
        client.sink().event(&Event::Summary { name: text, is_local: false, outcomes: of_line });
        Ok(result)
    }
}

/// The errors and exit codes of a shell line.
#[derive(Debug, Default)]
struct ShellLineResult {
    /// True if the run has one host. The exit status is the exit code of `fab`.
    is_single_host_line: bool,
    errors: GroupedErrors,
    codes: Vec<ExitCode>,
    status: Option<u8>,
}

impl ShellLineResult {
    fn add(&mut self, host: &Host, kind: OutcomeKind, error: Option<&Error>) -> Result<()> {
        self.codes.push(match (kind, error) {
            (OutcomeKind::Ok | OutcomeKind::Skipped, _) => ExitCode::Ok,
            (_, Some(error)) => error.exit_code(),
            (_, None) => ExitCode::Failed,
        });
        let Some(error) = error else { return Ok(()) };
        if let (true, ErrorKind::Exit, Some(output)) = (self.is_single_host_line, error.kind(), error.output()) {
            // The exit code of `fab` reports the status, so no message is needed.
            self.status = Some(u8::try_from(output.status()?.shell_code()).unwrap_or(u8::MAX));
        } else if self.is_single_host_line || kind != OutcomeKind::Cancelled {
            // With several hosts, the summary lists the cancelled hosts.
            self.errors.add(host, error);
        }
        Ok(())
    }
}

/// Runs all tasks, emits their summaries, and returns the exit code of the report.
async fn run_tasks(plan: &Plan, client: &Client, outcomes: &mut Vec<(Host, OutcomeKind)>) -> ExitCode {
    let report = Executor::new(client.clone()).run(plan).await;
    for stage in report.stages() {
        let of_stage: Vec<_> = stage.outcomes.iter().map(|(host, outcome)| (host.clone(), outcome.kind())).collect();
        let (name, local) = (&stage.task.shown_name(), stage.is_local);
        client.sink().event(&Event::Summary { name, is_local: local, outcomes: &of_stage });
        outcomes.extend(of_stage);
    }
    report.exit_code()
}
