//! [`Strategy`]: the number of hosts at a time, and the reaction to failures.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::outcome::Outcome;
use super::outcomes::{HostFailures, Outcomes};
use crate::config::{OnFailure, OnUnreachable, Settings};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, TaskError};
use crate::host::Host;
use crate::ssh::max_hosts_at_once;
use crate::transport::{SecretWithheld, StopLevel, StopSignal};

/// The time for a cancelled body to return after its commands have ended.
const RETURN_WAIT: Duration = Duration::from_millis(1800);

/// The number of hosts at a time, and the reaction to failures and unreachable hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// The maximum number of hosts at a time. Defaults to 64. The open file limit may lower it.
    pub limit: NonZeroUsize,
    /// The effect of a failure on hosts not yet started. Defaults to `Stop`.
    pub on_failure: OnFailure,
    /// The effect of an unreachable host. Defaults to `Fail`.
    pub on_unreachable: OnUnreachable,
}

impl Strategy {
    /// Returns the strategy of a run with `settings`.
    pub fn of(settings: &Settings) -> Self {
        Self {
            limit: settings.parallel_limit(),
            on_failure: settings.on_failure,
            on_unreachable: settings.on_unreachable,
        }
    }

    /// Turns `Unreachable` into `Skipped` if the strategy skips unreachable hosts.
    ///
    /// Only an error about `host` itself is turned into `Skipped`. If another host is unreachable,
    /// the body has failed.
    pub(crate) fn apply_to<T>(self, host: &Host, outcome: Outcome<T>) -> Outcome<T> {
        match (outcome, self.on_unreachable) {
            (Outcome::Unreachable(error), OnUnreachable::Skip) if is_about(host, &error) => Outcome::Skipped(error),
            (outcome, OnUnreachable::Skip | OnUnreachable::Fail) => outcome,
        }
    }
}

/// Returns whether an error is about `host` alone. The error of a group or of another host may
/// contain the host on which the task ran.
fn is_about(host: &Host, error: &Error) -> bool {
    let mut sources = std::iter::successors(std::error::Error::source(error), |source| source.source());
    let is_of_others = |source: &(dyn std::error::Error + 'static)| {
        let is_of_another = |error: &Error| error.host().is_some_and(|other| other != host);
        source.is::<HostFailures>() || source.downcast_ref().is_some_and(is_of_another)
    };
    error.host() == Some(host) && !sources.any(is_of_others)
}

impl Default for Strategy {
    fn default() -> Self {
        Self::of(&Settings::default())
    }
}

/// The time for the outcome of a guarded body to arrive from its async task.
const OUTCOME_WAIT: Duration = Duration::from_millis(500);

/// Runs `body` on each host, and returns the outcomes in the order of `hosts`. Each host is passed
/// with its connection, or with the error of making the connection.
///
/// The open file limit also caps the number of hosts at a time.
///
/// After a stop of the run, no further host starts. Started bodies have [`RETURN_WAIT`] to return.
/// Plain functions cannot be cancelled, so the run waits for them.
pub(crate) async fn run_on_hosts<T, Fut>(
    hosts: Vec<(Host, Result<Connection, Error>)>,
    strategy: Strategy,
    stop: StopSignal,
    body: impl Fn(Connection) -> Fut,
) -> Outcomes<T>
where
    Fut: Future<Output = Result<T, TaskError>>,
{
    let mut outcomes: Vec<Option<Outcome<T>>> = hosts.iter().map(|_| None).collect();
    let names: Vec<Host> = hosts.iter().map(|(host, _)| host.clone()).collect();
    let at_once = strategy.limit.min(max_hosts_at_once()).get();
    let mut waiting = hosts.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut started = vec![false; names.len()];
    let mut failed = false;
    let mut deadline = None;
    loop {
        // Read in each turn: a cancelled command may end before this loop notices the stop.
        let may_start = stop.level() == StopLevel::None && !(failed && strategy.on_failure == OnFailure::Stop);
        while may_start && running.len() < at_once {
            let Some((index, (host, connection))) = waiting.next() else { break };
            mark(&mut started, index);
            let future = connection.map(&body);
            running.push(async move {
                let result = match future {
                    Ok(future) => future.await,
                    Err(error) => Err(error.into()),
                };
                (index, strategy.apply_to(&host, Outcome::of(result)))
            });
        }
        if running.is_empty() {
            break;
        }
        tokio::select! {
            Some((index, outcome)) = running.next() => {
                failed |= outcome.is_failure();
                if let Some(slot) = outcomes.get_mut(index) {
                    *slot = Some(outcome);
                }
            }
            _ = stop.wait_above(StopLevel::None), if deadline.is_none() => deadline = Some(Instant::now() + RETURN_WAIT),
            () = grace_expired(deadline, &stop) => break,
        }
    }
    drop(running);
    let all = names.into_iter().zip(outcomes).zip(started);
    Outcomes::new(all.map(|((host, outcome), started)| final_outcome(host, outcome, started)).collect())
}

fn mark(started: &mut [bool], index: usize) {
    if let Some(flag) = started.get_mut(index) {
        *flag = true;
    }
}

/// Waits until the time for started bodies to return is over. Pending without a deadline.
async fn grace_expired(deadline: Option<Instant>, stop: &StopSignal) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
    if stop.is_guarded() {
        stop.guards_released().await;
        tokio::select! {
            () = sleep(OUTCOME_WAIT) => {}
            _ = stop.wait_above(StopLevel::Stop) => {}
        }
    }
}

/// Returns the outcome of a host. Without an outcome, the host did not start, or was cancelled by
/// the stop of the run.
fn final_outcome<T>(host: Host, outcome: Option<Outcome<T>>, started: bool) -> (Host, Outcome<T>) {
    let outcome = match (outcome, started) {
        (Some(outcome), _) => outcome,
        (None, false) => Outcome::NotStarted,
        (None, true) => Outcome::Cancelled(Error::new(ErrorKind::Cancelled, "the run was stopped").on(&host)),
    };
    (host, outcome)
}

/// Turns the error of a host into a lost connection if commands had run on the host before the host
/// became unreachable. Such a host may have changed, and must not be reported as skipped.
pub(crate) fn lost_after_use(error: Error, connection: &Connection) -> Error {
    let unreachable = matches!(error.kind(), ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth)
        && !SecretWithheld::caused(&error);
    match connection.host() {
        Some(host) if unreachable && is_about(host, &error) && connection.was_used() => {
            let text = "could not be reached again after commands had run on the host";
            Error::new(ErrorKind::Channel, text).on(host).caused_by(error)
        }
        _ => error,
    }
}
