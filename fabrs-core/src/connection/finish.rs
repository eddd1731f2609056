//! The result of an ended command: its [`Output`], or an error with a hint.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::context::NO_VENV;
use super::recorder::Captured;
use super::spec::{AcceptedStatus, CommandSpec, Privilege};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Stream};
use crate::host::Host;
use crate::output::{CommandRecord, CommandResult, ExitStatus, Output};
use crate::shell::quote;
use crate::transport::{CommandOutcome, Completion};

/// The ends of messages by which csh and tcsh reject the syntax of a POSIX shell.
const CSH_ERRORS: [&str; 7] = [
    ": Command not found.",
    "Unmatched '.",
    "Unmatched '''.",
    "Missing }.",
    "Badly placed ()'s.",
    "Ambiguous output redirect.",
    "Undefined variable.",
];

/// Returns the output of an ended command, or its error.
#[expect(clippy::too_many_lines, reason = "one arm for each end of a command")]
pub(super) fn finish(
    spec: &CommandSpec,
    shown: &Arc<str>,
    captured: Captured,
    completion: Completion,
) -> Result<Output> {
    let connection = &spec.connection;
    let host = connection.host().cloned().unwrap_or_else(Host::local);
    let (outcome, lost_output) = match completion.outcome {
        CommandOutcome::Truncated(status, error) => {
            (CommandOutcome::Exited(status), Some(Arc::new(error.at(spec.location)) as _))
        }
        outcome => (outcome, None),
    };
    let has_output = !captured.stdout.is_empty() || !captured.stderr.is_empty();
    let may_be_running = matches!(
        outcome,
        CommandOutcome::TimedOut { is_confirmed: false } | CommandOutcome::Stopped { is_confirmed: false }
    );
    let output = |result| {
        Output::new(CommandRecord {
            host: host.clone(),
            command: Arc::clone(shown),
            location: spec.location,
            elapsed: completion.elapsed,
            result,
            stdout: captured.stdout.into_kept(),
            stderr: captured.stderr.into_kept(),
            lost_output: lost_output.clone(),
            shown: (spec.hide.shows(Stream::Stdout), spec.hide.shows(Stream::Stderr)),
            has_pty: spec.pty.is_some(),
            may_be_running,
            redactor: connection.redactor(),
        })
    };
    let failed = |kind, text: String| Error::new(kind, format!("`{shown}` {text}")).on(&host).at(spec.location);
    // The captured output is attached to the error. The result in this output is `Unknown`, since
    // the command has no exit status.
    let unknown = |error: &Error| CommandResult::Unknown(Arc::new(error.clone()));
    connection.used.fetch_or(may_have_started(&outcome), Ordering::Relaxed);
    if let (CommandOutcome::Exited(_) | CommandOutcome::Stopped { .. }, Some(failure)) =
        (&outcome, spec.watchers.failure())
    {
        let error = failure.on(&host).at(spec.location);
        let result = match outcome {
            CommandOutcome::Exited(status) => CommandResult::Exited(status),
            _ => unknown(&error),
        };
        return Err(error.with_output(output(result)));
    }
    match outcome {
        CommandOutcome::Exited(status) if spec.accepted.includes(&status) && spec.detached => {
            let error = failed(
                ErrorKind::Usage,
                format!("was disowned, so its exit status is unknown (its launcher ended with {status})"),
            );
            Ok(output(unknown(&error)))
        }
        CommandOutcome::Exited(status) if spec.accepted.includes(&status) => {
            let not_run = failed(ErrorKind::Exit, format!("was not run: the login shell ended with {status}"));
            check_login_shell(spec, output(CommandResult::Exited(status)), not_run)
        }
        CommandOutcome::Exited(status)
            if connection.accepts_failures() && spec.accepted != AcceptedStatus::OnlyZero =>
        {
            emit_failure(spec, shown, &status);
            Ok(output(CommandResult::Exited(status)))
        }
        CommandOutcome::Exited(status) => {
            let error = failed(ErrorKind::Exit, format!("ended with {status}"));
            let output = output(CommandResult::Exited(status));
            let error = match missing_venv(&output)
                .or_else(|| missing_shell(spec, &output))
                .or_else(|| login_shell_hint(spec, &output))
            {
                Some(hint) => error.hint(hint),
                None => error,
            };
            Err(error.with_output(output))
        }
        CommandOutcome::Planned => Ok(output(CommandResult::NotRun(connection.plan_end.clone()))),
        CommandOutcome::TimedOut { is_confirmed } => {
            let error = failed(ErrorKind::Timeout, timeout_text(spec, is_confirmed));
            let output = output(unknown(&error));
            Err(error.with_output(output))
        }
        CommandOutcome::Stopped { is_confirmed } => {
            let state = if is_confirmed { "was stopped" } else { "was stopped and may still be running" };
            let error = failed(ErrorKind::Cancelled, state.to_owned());
            Err(if has_output { error.clone().with_output(output(unknown(&error))) } else { error })
        }
        CommandOutcome::Truncated(_, error) | CommandOutcome::Failed(error) => {
            let error = error.at(spec.location);
            Err(if has_output { error.clone().with_output(output(unknown(&error))) } else { error })
        }
    }
}

/// Returns the output of a command after the last failed attempt, if the failure is accepted.
pub(super) fn accept_failure(spec: &CommandSpec, error: Error) -> Result<Output> {
    let Some(output) = error.output().filter(|_| error.kind() == ErrorKind::Exit).cloned() else { return Err(error) };
    match (&spec.accepted, output.status()) {
        (AcceptedStatus::Any, _) => Ok(output),
        (_, Ok(status)) if spec.connection.accepts_failures() => {
            emit_failure(spec, output.command(), status);
            Ok(output)
        }
        _ => Err(error),
    }
}

/// Emits a warning for a failure accepted by the settings of the run. A task with `.warn()` reads
/// the status itself and needs no warning.
fn emit_failure(spec: &CommandSpec, shown: &str, status: &ExitStatus) {
    let text = format!("`{shown}` ended with {status}");
    spec.connection.sink().event(&Event::Warning { host: spec.connection.host(), text: &text });
}

/// Returns `true` if the command may have had an effect on the host.
fn may_have_started(outcome: &CommandOutcome) -> bool {
    match outcome {
        CommandOutcome::Planned => false,
        CommandOutcome::Failed(error) => error.kind() == ErrorKind::Channel,
        CommandOutcome::Exited(_)
        | CommandOutcome::Truncated(..)
        | CommandOutcome::TimedOut { .. }
        | CommandOutcome::Stopped { .. } => true,
    }
}

/// Returns a hint for a missing virtualenv.
fn missing_venv(output: &Output) -> Option<String> {
    let stderr = String::from_utf8_lossy(&output.record.stderr.bytes).into_owned();
    let folder = stderr.lines().last()?.strip_prefix(NO_VENV)?;
    Some(format!("create the virtualenv with `python3 -m venv {}`", quote(folder).ok()?))
}

/// Returns a hint for a missing shell, if the line was to be run by a configured shell.
fn missing_shell(spec: &CommandSpec, output: &Output) -> Option<String> {
    let shell = spec.connection.context.shell_program()?;
    let text = String::from_utf8_lossy(&output.record.stderr.bytes);
    let last = text.lines().last()?;
    let messages = ["not found", "command not found", "No such file or directory"];
    let names_shell = messages.iter().any(|message| last.ends_with(&format!("{shell}: {message}")));
    let is_missing = matches!(&output.record.result, CommandResult::Exited(ExitStatus::Code(127)));
    (is_missing && names_shell)
        .then(|| format!("the host has no `{shell}`: install the shell, or set another `shell` in fabrs.toml"))
}

/// Returns an output with an accepted status, or `not_run` if the login shell rejected the line:
/// the command has not run.
fn check_login_shell(spec: &CommandSpec, output: Output, not_run: Error) -> Result<Output> {
    let is_success = matches!(&output.record.result, CommandResult::Exited(status) if status.success());
    match login_shell_hint(spec, &output).filter(|_| !is_success) {
        Some(hint) => Err(not_run.hint(hint).with_output(output)),
        None => Ok(output),
    }
}

/// Returns a hint for a login shell such as fish or csh without support for the POSIX code around a
/// line (`cd`, `env`, prefixes).
fn login_shell_hint(spec: &CommandSpec, output: &Output) -> Option<String> {
    let context = &spec.connection.context;
    if context.shell_program().is_some() || context.is_bare(spec.activation) || spec.privilege != Privilege::Login {
        return None;
    }
    let (stdout, stderr) = (&output.record.stdout.bytes, &output.record.stderr.bytes);
    // A pty merges both streams.
    let text = if spec.pty.is_some() { stdout } else { stderr };
    let text = String::from_utf8_lossy(text);
    let first = text.lines().next().unwrap_or_default();
    // A shell rejects the line before any other output. A command may print the same text, but
    // later.
    let is_first = spec.pty.is_some() || stdout.is_empty();
    let is_rejection = first.starts_with("fish: ") || CSH_ERRORS.iter().any(|end| first.ends_with(end));
    (is_rejection && is_first)
        .then(|| "the login shell is not a POSIX shell: set `shell = \"sh -c\"` for the host in fabrs.toml".to_owned())
}

fn timeout_text(spec: &CommandSpec, is_confirmed: bool) -> String {
    let limit = spec.timeout.or(spec.connection.default_timeout()).unwrap_or_default();
    let state = if is_confirmed { "was ended" } else { "may still be running" };
    format!("ran longer than {} and {state}", format_seconds(limit))
}

/// Formats a duration for messages: `1 second`, `2.5 seconds`.
pub(crate) fn format_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if (seconds - 1.0).abs() < f64::EPSILON { "1 second".to_owned() } else { format!("{seconds} seconds") }
}
