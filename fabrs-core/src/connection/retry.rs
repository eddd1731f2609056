//! Retries of a command: a number of times after a failure, or until success.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::execution::execute;
use super::finish::{accept_failure, finish, format_seconds};
use super::recorder::Captured;
use super::retry_policy::RetryPolicy;
use super::spec::CommandSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, PlannedCommand};
use crate::host::Host;
use crate::output::{CommandResult, Output};
use crate::transport::{CommandOutcome, Completion, Effect, EffectMode, StopLevel};

/// The pause between two attempts of [`Command::retry_for`](super::Command::retry_for).
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The minimum time limit of an attempt, also shortly before the overall limit.
const MIN_ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// Runs a command with its retry policy.
///
/// # Cancel safety
///
/// Dropping the future kills the running attempt.
pub(super) async fn run_with_retries(spec: Box<CommandSpec>, policy: RetryPolicy) -> Result<Output> {
    let start = Instant::now();
    let mut pause = match policy {
        RetryPolicy::Times(_, pause) => pause,
        RetryPolicy::Until(_) => POLL_INTERVAL,
    };
    let mut announcer = RetryAnnouncer::default();
    for attempt in 0.. {
        let mut attempt_spec = spec.for_attempt()?;
        attempt_spec.accepted = spec.accepted.for_attempt();
        if let RetryPolicy::Until(limit) = policy {
            let time_left = limit.saturating_sub(start.elapsed()).max(MIN_ATTEMPT_TIME);
            attempt_spec.timeout = Some(attempt_spec.timeout.map_or(time_left, |own| own.min(time_left)));
        }
        let attempted = execute(Box::new(attempt_spec))?.await;
        let error = match attempted {
            Err(error) if is_retryable(&error, spec.effect) => error,
            done => return done,
        };
        if spec.connection.effect_mode() == EffectMode::Plan {
            // In a dry run, the awaited state may depend on planned changes and never appear.
            return plan_retries(&spec);
        }
        match policy {
            RetryPolicy::Times(times, _) if attempt >= times => return accept_failure(&spec, error),
            RetryPolicy::Times(times, _) => {
                announcer.announce(
                    &spec,
                    &error,
                    NextAttempt { attempt: attempt + 2, attempts: Some(times + 1), pause, time_left: None },
                );
            }
            RetryPolicy::Until(limit) if start.elapsed() + pause > limit => {
                let text = format!("`{}` did not succeed within {}", spec.line, format_seconds(limit));
                let timed_out = Error::new(ErrorKind::Timeout, text).or_on(spec.connection.host()).at(spec.location);
                return Err(timed_out.caused_by(error));
            }
            RetryPolicy::Until(limit) => {
                let time_left = limit.saturating_sub(start.elapsed());
                announcer.announce(
                    &spec,
                    &error,
                    NextAttempt { attempt: attempt + 2, attempts: None, pause, time_left: Some(time_left) },
                );
            }
        }
        sleep_unless_stopped(&spec, pause).await?;
        if let RetryPolicy::Times(..) = policy {
            pause *= 2;
        }
    }
    Err(Error::new(ErrorKind::Internal, "internal error: too many attempts of a command"))
}

/// Returns `true` if another attempt may succeed and is safe. After a lost connection, only a
/// read-only command is repeated, since any other command may have changed something.
fn is_retryable(error: &Error, effect: Effect) -> bool {
    match error.kind() {
        ErrorKind::Exit | ErrorKind::Connect => true,
        // If the first attempt may still be running, a second attempt would run concurrently.
        ErrorKind::Timeout => {
            effect == Effect::Reads || error.output().is_some_and(|output| !output.record.may_be_running)
        }
        ErrorKind::Channel => effect == Effect::Reads,
        _ => false,
    }
}

/// Reports the planned retries, and returns the output of a planned command.
fn plan_retries(spec: &CommandSpec) -> Result<Output> {
    let shown: Arc<str> = spec.display_name.clone().unwrap_or_else(|| spec.line.to_string().into());
    let operation = format!("{shown} (repeated until success)");
    spec.connection.sink().event(&Event::Planned {
        host: spec.connection.host(),
        operation: &operation,
        command: Some(PlannedCommand { short: &operation, shell_line: &spec.line.to_string() }),
    });
    finish(spec, &shown, Captured::default(), Completion { outcome: CommandOutcome::Planned, elapsed: Duration::ZERO })
}

/// The next attempt after a failure: the fields of [`Event::Retry`].
#[derive(Debug, Clone, Copy)]
struct NextAttempt {
    attempt: u32,
    attempts: Option<u32>,
    pause: Duration,
    time_left: Option<Duration>,
}

/// Emits retry events, less often for a repeated reason.
#[derive(Debug, Default)]
struct RetryAnnouncer {
    reason: String,
}

impl RetryAnnouncer {
    /// Announces the next attempt, with the reason.
    ///
    /// A repeated reason without output is announced less and less often: at attempts 2, 4, 8 and
    /// so on. A wait of minutes would otherwise fill the screen.
    fn announce(&mut self, spec: &CommandSpec, error: &Error, next: NextAttempt) {
        let NextAttempt { attempt, attempts, pause, time_left } = next;
        let reason = reason(error);
        let has_printed = error.output().is_some_and(|output| {
            let record = &output.record;
            let was_shown = |shown: bool, bytes: &[u8]| shown && !bytes.is_empty();
            was_shown(record.shown.0, &record.stdout.bytes) || was_shown(record.shown.1, &record.stderr.bytes)
        });
        if attempts.is_none() && !has_printed && reason == self.reason && !attempt.is_power_of_two() {
            return;
        }
        // A command with both streams hidden also hides the line.
        if spec.is_quiet && spec.display_name.is_none() {
            return;
        }
        let host = spec.connection.host().cloned().unwrap_or_else(Host::local);
        let shown = spec.display_name.clone().unwrap_or_else(|| spec.line.to_string().into());
        spec.connection.sink().event(&Event::Retry {
            host: &host,
            command: &shown,
            reason: &reason,
            attempt,
            max_attempts: attempts,
            pause,
            time_left,
        });
        self.reason = reason;
    }
}

/// Returns the reason for another attempt: `exit status 7`, or the error without the command.
fn reason(error: &Error) -> String {
    match error.output().map(|output| &output.record.result) {
        Some(CommandResult::Exited(status)) if error.kind() == ErrorKind::Exit => status.to_string(),
        _ if error.kind() == ErrorKind::Timeout => "timed out".to_owned(),
        _ => error.message().to_owned(),
    }
}

/// Waits for `pause`, unless the run is stopped.
async fn sleep_unless_stopped(spec: &CommandSpec, pause: Duration) -> Result<()> {
    let Some(run) = &spec.connection.state else { return Ok(()) };
    tokio::select! {
        () = sleep(pause) => Ok(()),
        _ = run.stop().wait_above(StopLevel::None) => {
            let text = format!("`{}` was stopped before its next attempt", spec.line);
            Err(Error::new(ErrorKind::Cancelled, text).or_on(spec.connection.host()).at(spec.location))
        }
    }
}
