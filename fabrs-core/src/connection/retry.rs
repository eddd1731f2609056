//! Running a command again: some times after a failure, or until it succeeds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::execution::execute;
use super::finish::{finish, forgiven, format_seconds};
use super::recorder::Captured;
use super::retry_policy::RetryPolicy;
use super::spec::Spec;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::output::{CommandResult, Output};
use crate::transport::{CommandOutcome, Completion, Effect, EffectMode, StopLevel};

/// How long is waited between two looks at something that is to become so.
const BETWEEN: Duration = Duration::from_secs(1);

/// How long an attempt may take at least, also where the time is nearly over.
const SHORTEST: Duration = Duration::from_secs(1);

/// Runs a command as often as it was said.
///
/// # Cancel safety
///
/// Dropped, it ends the attempt that runs.
pub(super) async fn repeat(spec: Box<Spec>, again: RetryPolicy) -> Result<Output> {
    let began = Instant::now();
    let mut pause = match again {
        RetryPolicy::Times(_, pause) => pause,
        RetryPolicy::Until(_) => BETWEEN,
    };
    let mut announced = Announced::default();
    for attempt in 0.. {
        let mut attempt_spec = spec.once_more()?;
        attempt_spec.accepts = spec.accepts.for_an_attempt();
        if let RetryPolicy::Until(limit) = again {
            let left = limit.saturating_sub(began.elapsed()).max(SHORTEST);
            attempt_spec.timeout = Some(attempt_spec.timeout.map_or(left, |own| own.min(left)));
        }
        let attempted = execute(Box::new(attempt_spec))?.await;
        let error = match attempted {
            Err(error) if may_help(&error, spec.effect) => error,
            done => return done,
        };
        if spec.connection.effect_mode() == EffectMode::Plan {
            // What it waits for may be what was planned before, and will not come.
            return planned(&spec);
        }
        match again {
            RetryPolicy::Times(times, _) if attempt >= times => return forgiven(&spec, error),
            RetryPolicy::Times(times, _) => {
                announced.announce(
                    &spec,
                    &error,
                    Next { attempt: attempt + 2, attempts: Some(times + 1), pause, left: None },
                );
            }
            RetryPolicy::Until(limit) if began.elapsed() + pause > limit => {
                let text = format!("`{}` did not succeed within {}", spec.line, format_seconds(limit));
                let gave_up = Error::new(ErrorKind::Timeout, text).or_on(spec.connection.host()).at(spec.location);
                return Err(gave_up.caused_by(error));
            }
            RetryPolicy::Until(limit) => {
                let left = limit.saturating_sub(began.elapsed());
                announced.announce(
                    &spec,
                    &error,
                    Next { attempt: attempt + 2, attempts: None, pause, left: Some(left) },
                );
            }
        }
        wait(&spec, pause).await?;
        if let RetryPolicy::Times(..) = again {
            pause *= 2;
        }
    }
    Err(Error::new(ErrorKind::Internal, "a command was tried too often to count"))
}

/// Tells whether another attempt may end otherwise, and does no harm: what may have happened is not done twice.
fn may_help(error: &Error, effect: Effect) -> bool {
    match error.kind() {
        ErrorKind::Exit | ErrorKind::Connect => true,
        // Beside one that may still run it would run twice at once.
        ErrorKind::Timeout => {
            effect == Effect::Reads || error.output().is_some_and(|output| !output.record.may_be_running)
        }
        ErrorKind::Channel => effect == Effect::Reads,
        _ => false,
    }
}

/// Tells that the command would be run again, and returns the output of one that was not run.
fn planned(spec: &Spec) -> Result<Output> {
    let shown: Arc<str> = spec.shown.clone().unwrap_or_else(|| spec.line.to_string().into());
    let what = format!("{shown} (again, until it succeeds)");
    spec.connection.sink().event(&Event::Planned { host: spec.connection.host(), operation: &what, is_command: true });
    finish(spec, &shown, Captured::default(), Completion { outcome: CommandOutcome::Planned, elapsed: Duration::ZERO })
}

/// An attempt after one that failed: the fields of [`Event::Retry`].
#[derive(Debug, Clone, Copy)]
struct Next {
    attempt: u32,
    attempts: Option<u32>,
    pause: Duration,
    left: Option<Duration>,
}

/// The last failed attempt that was announced.
#[derive(Debug, Default)]
struct Announced {
    reason: String,
}

impl Announced {
    /// Announces the next attempt, with the reason for it.
    ///
    /// An attempt that failed for the same reason as before and printed nothing is announced ever more seldom: at attempts
    /// 2, 4, 8 and so on. A wait of minutes would fill the screen.
    fn announce(&mut self, spec: &Spec, error: &Error, next: Next) {
        let Next { attempt, attempts, pause, left } = next;
        let reason = reason(error);
        let has_printed = error.output().is_some_and(|output| {
            let record = &output.record;
            let is_seen = |shown: bool, bytes: &[u8]| shown && !bytes.is_empty();
            is_seen(record.shown.0, &record.stdout.bytes) || is_seen(record.shown.1, &record.stderr.bytes)
        });
        if attempts.is_none() && !has_printed && reason == self.reason && !attempt.is_power_of_two() {
            return;
        }
        // A command that hides both streams hides its line too.
        if spec.is_quiet && spec.shown.is_none() {
            return;
        }
        let host = spec.connection.host().cloned().unwrap_or_else(Host::local);
        let shown = spec.shown.clone().unwrap_or_else(|| spec.line.to_string().into());
        spec.connection.sink().event(&Event::Retry {
            host: &host,
            command: &shown,
            reason: &reason,
            attempt,
            max_attempts: attempts,
            pause,
            time_left: left,
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

/// Waits, unless the run is stopped.
async fn wait(spec: &Spec, pause: Duration) -> Result<()> {
    let Some(run) = &spec.connection.state else { return Ok(()) };
    tokio::select! {
        () = sleep(pause) => Ok(()),
        _ = run.stop().wait_above(StopLevel::None) => {
            let text = format!("`{}` was stopped before it was tried again", spec.line);
            Err(Error::new(ErrorKind::Cancelled, text).or_on(spec.connection.host()).at(spec.location))
        }
    }
}
