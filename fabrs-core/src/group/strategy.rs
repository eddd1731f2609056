//! Spreading work over hosts: how many at a time, in which order, and what a failure does to the rest.

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
use crate::transport::ssh::max_hosts_at_once;
use crate::transport::{SecretWithheld, StopLevel, StopSignal};

/// How long a body that was told to stop has to return; its commands have ended by then.
const RETURN_WAIT: Duration = Duration::from_millis(1800);

/// How work is spread over hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// The maximum number of hosts at a time. Defaults to 64. The open file limit may lower it.
    pub limit: NonZeroUsize,
    /// What a failure on one host does to those whose turn has not come. Defaults to stopping.
    pub on_failure: OnFailure,
    /// What a host is that can't be reached. Defaults to a failure.
    pub on_unreachable: OnUnreachable,
}

impl Strategy {
    /// Returns the strategy of a run with these settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            limit: settings.parallel_limit(),
            on_failure: settings.on_failure,
            on_unreachable: settings.on_unreachable,
        }
    }

    /// Leaves a host that can't be reached out on purpose, where that was asked for.
    ///
    /// Only for its own sake: where the work of one host needs another that can't be reached, it has failed.
    pub(crate) fn judge<T>(self, host: &Host, outcome: Outcome<T>) -> Outcome<T> {
        match (outcome, self.on_unreachable) {
            (Outcome::Unreachable(error), OnUnreachable::Skip) if is_about(host, &error) => Outcome::Skipped(error),
            (outcome, OnUnreachable::Skip | OnUnreachable::Fail) => outcome,
        }
    }
}

/// Tells whether an error is about this host alone. An error of a group or of another host may have got the name of the
/// host whose task met it.
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

/// How long the outcome of a body that was held may take to arrive from its async task.
const OUTCOME_WAIT: Duration = Duration::from_millis(500);

/// Runs `body` on each host, and returns what came of each, in their order. A host comes with the connection to it, or
/// with why there is none.
///
/// The open file limit also caps the number of hosts at a time.
///
/// When the run is stopped nobody new begins; who is on the way has a moment to return, and a plain function, which
/// can't be ended, all the time it needs.
pub(crate) async fn spread<T, Fut>(
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
        // Asked anew: a command that was stopped may tell of its end before the stop itself is noticed below.
        let go_on = stop.level() == StopLevel::None && !(failed && strategy.on_failure == OnFailure::Stop);
        while go_on && running.len() < at_once {
            let Some((index, (host, connection))) = waiting.next() else { break };
            mark(&mut started, index);
            let future = connection.map(&body);
            running.push(async move {
                let result = match future {
                    Ok(future) => future.await,
                    Err(error) => Err(error.into()),
                };
                (index, strategy.judge(&host, Outcome::of(result)))
            });
        }
        if running.is_empty() {
            break;
        }
        tokio::select! {
            Some((index, outcome)) = running.next() => {
                failed |= outcome.is_bad();
                if let Some(place) = outcomes.get_mut(index) {
                    *place = Some(outcome);
                }
            }
            _ = stop.wait_above(StopLevel::None), if deadline.is_none() => deadline = Some(Instant::now() + RETURN_WAIT),
            () = given_up(deadline, &stop) => break,
        }
    }
    drop(running);
    let all = names.into_iter().zip(outcomes).zip(started);
    Outcomes::new(all.map(|((host, outcome), started)| settle(host, outcome, started)).collect())
}

fn mark(started: &mut [bool], index: usize) {
    if let Some(flag) = started.get_mut(index) {
        *flag = true;
    }
}

/// Waits until who is still on the way is waited for no more; for ever without a deadline.
async fn given_up(deadline: Option<Instant>, stop: &StopSignal) {
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

/// Gives a host without an outcome the one it has: never begun, or given up when the run was stopped.
fn settle<T>(host: Host, outcome: Option<Outcome<T>>, started: bool) -> (Host, Outcome<T>) {
    let outcome = match (outcome, started) {
        (Some(outcome), _) => outcome,
        (None, false) => Outcome::NotStarted,
        (None, true) => Outcome::Cancelled(Error::new(ErrorKind::Cancelled, "the run was stopped").on(&host)),
    };
    (host, outcome)
}

/// Returns the error of a lost host for one that could not be reached again: commands have run there, so it is neither
/// untouched nor to be skipped.
pub(crate) fn gone_again(error: Error, connection: &Connection) -> Error {
    let unreachable = matches!(error.kind(), ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth)
        && !SecretWithheld::caused(&error);
    match connection.host() {
        Some(host) if unreachable && is_about(host, &error) && connection.was_used() => {
            let text = "could not be reached again, after commands had run there";
            Error::new(ErrorKind::Channel, text).on(host).caused_by(error)
        }
        _ => error,
    }
}
