//! The watch of a batch: its gates are measured until the end of the watch, or until a gate fails.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fabrs::transport::StopLevel;
use fabrs::{Connection, Error, ErrorKind, Group, TaskError, effect};
use futures::FutureExt as _;
use futures::future::join_all;
use tokio::time::{Instant, timeout};

use crate::deploy::rollout::Rollout;
use crate::deploy::target::ReleaseOrigin;
use crate::gates::{Gate, Measurement, Verdict, Watch, WatchedHost};
use crate::outcomes::label;

/// The time limit of one measurement.
const MEASURE_TIMEOUT: Duration = Duration::from_mins(1);

/// Measures the gates of a watch on the hosts of a batch, as a phase.
///
/// # Errors
///
/// As [`measure_gates`].
pub(super) async fn watch(rollout: &Rollout<'_>, batch: &Group, watch: &Watch) -> Result<(), TaskError> {
    if batch.connections().is_empty() || !is_watched(watch, rollout.target.origin) {
        return Ok(());
    }
    let phase = rollout.hosts.phase("gates", batch.connections());
    let passed = measure_gates(rollout, batch, watch).await?;
    phase.done(passed);
    Ok(())
}

/// Returns whether the gates of a watch are measured.
///
/// The live release of a rollback may be failing: gates must not delay or revert the rollback.
pub(super) fn is_watched(watch: &Watch, origin: ReleaseOrigin) -> bool {
    !watch.is_empty() && origin != ReleaseOrigin::EarlierRun
}

/// Measures the gates of a watch on some hosts. Returns the last results as text.
///
/// # Errors
///
/// [`ErrorKind::Task`] if a gate is bad, or inconclusive at the end of the watch. The error has the
/// last log lines of the host. [`ErrorKind::Cancelled`] after a stop of the run.
pub(super) async fn measure_gates(rollout: &Rollout<'_>, batch: &Group, watch: &Watch) -> Result<String, TaskError> {
    if batch.connections().is_empty() || !is_watched(watch, rollout.target.origin) {
        return Ok(String::new());
    }
    let mut watched = Vec::new();
    for (scope, gate) in &watch.gates {
        let mut hosts = Vec::new();
        for host in batch.connections() {
            if scope.has(host)? {
                let app = rollout.hosts.app(host, &rollout.target.release)?;
                hosts.push(WatchedHost::new(app, rollout.logs.spans(host)));
            }
        }
        if !hosts.is_empty() {
            watched.push(WatchedGate { gate: &**gate, hosts: hosts.into() });
        }
    }
    let text = describe(batch.connections(), watch);
    rollout.set_phase("gates");
    let passed = OnceLock::new();
    // A dry run prints the watch and does not measure.
    effect(&text, async {
        let _ = passed.set(measure_until_end(rollout, &watched, watch).await?);
        Ok::<(), TaskError>(())
    })
    .await?;
    Ok(passed.into_inner().unwrap_or_default())
}

/// The cause of a deploy reverted without a fault of the release.
#[derive(Debug)]
struct InconclusiveGate;

impl fmt::Display for InconclusiveGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gate had no result at the end of its watch")
    }
}

impl std::error::Error for InconclusiveGate {}

/// Returns whether an error has an inconclusive gate as its cause.
pub(super) fn is_inconclusive(error: &Error) -> bool {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source()).any(<dyn std::error::Error>::is::<InconclusiveGate>)
}

/// A gate with its hosts of the batch.
struct WatchedGate<'a> {
    gate: &'a dyn Gate,
    hosts: Arc<[WatchedHost]>,
}

async fn measure_until_end(
    rollout: &Rollout<'_>,
    gates: &[WatchedGate<'_>],
    watch: &Watch,
) -> Result<String, TaskError> {
    let stop = rollout.hosts.client().stop();
    let end = Instant::now() + watch.duration;
    loop {
        let last = tokio::select! {
            measured = measure(rollout, gates) => measured?,
            _ = stop.wait_above(StopLevel::None) => return Err(cancelled().into()),
        };
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return finish(rollout, gates, &last).await;
        }
        // The pause ends early at a stop of the run.
        if timeout(rest.min(watch.interval), stop.wait_above(StopLevel::None)).await.is_ok() {
            return Err(cancelled().into());
        }
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the watch was cancelled")
}

/// Measures all gates once and in parallel.
///
/// # Errors
///
/// The error of the first bad gate.
async fn measure(rollout: &Rollout<'_>, gates: &[WatchedGate<'_>]) -> Result<Vec<Measurement>, TaskError> {
    let measured = join_all(gates.iter().map(measure_gate)).await;
    let mut all = Vec::new();
    for (watched, measured) in gates.iter().zip(measured) {
        let name = watched.gate.name();
        let measured = measured.map_err(|error| error.context(format!("could not measure the gate {name}")))?;
        if measured.verdict == Verdict::Bad {
            return Err(with_log_lines(rollout, watched, &measured, gate_error(&name, &measured)).await);
        }
        all.push(measured);
    }
    Ok(all)
}

/// Measures one gate. A panic in the code of a user is an error, so that the deploy is reverted.
async fn measure_gate(watched: &WatchedGate<'_>) -> Result<Measurement, TaskError> {
    let measured = AssertUnwindSafe(async { watched.gate.measure(Arc::clone(&watched.hosts)).await }).catch_unwind();
    match timeout(MEASURE_TIMEOUT, measured).await {
        Ok(Ok(measured)) => measured,
        Ok(Err(_)) => Err(TaskError::msg("the gate panicked")),
        Err(_) => Ok(Measurement::inconclusive(format!("no result within {} s", MEASURE_TIMEOUT.as_secs()))),
    }
}

/// Adds the last log lines of the measured host to the error of a gate.
async fn with_log_lines(
    rollout: &Rollout<'_>,
    watched: &WatchedGate<'_>,
    measured: &Measurement,
    error: Error,
) -> TaskError {
    let mut hosts = watched.hosts.iter().map(|host| host.app().host());
    let host = match &measured.host {
        Some(name) => hosts.find(|host| host.host() == Some(name)),
        None => hosts.next(),
    };
    match host {
        Some(host) => rollout.logs.with_lines(rollout.hosts, host, error.into()).await,
        None => error.into(),
    }
}

/// Returns the last results as text: `errors in the journal of shop: 2 errors`.
///
/// # Errors
///
/// [`ErrorKind::Task`] if a gate is inconclusive.
async fn finish(rollout: &Rollout<'_>, gates: &[WatchedGate<'_>], last: &[Measurement]) -> Result<String, TaskError> {
    let mut passed = Vec::new();
    for (watched, measured) in gates.iter().zip(last) {
        let name = watched.gate.name();
        match measured.verdict {
            Verdict::Good => passed.push(format!("{name}: {}", measured.text)),
            Verdict::Inconclusive | Verdict::Bad => {
                return Err(with_log_lines(rollout, watched, measured, gate_error(&name, measured)).await);
            }
        }
    }
    Ok(passed.join(", "))
}

fn gate_error(name: &str, measured: &Measurement) -> Error {
    let text = &measured.text;
    let error = match measured.verdict {
        Verdict::Inconclusive => {
            let text = format!("gate inconclusive: {name}: {text}");
            let error = Error::new(ErrorKind::Task, text).caused_by(InconclusiveGate);
            error.hint("check the log or the monitoring system, and deploy again")
        }
        Verdict::Good | Verdict::Bad => Error::new(ErrorKind::Task, format!("gate failed: {name}: {text}")),
    };
    match &measured.host {
        Some(host) => error.on(host),
        None => error,
    }
}

/// Returns the watch as text: `watch web1 for 5m: errors in the journal of shop`.
fn describe(hosts: &[Connection], watch: &Watch) -> String {
    let hosts = label(hosts);
    let gates = if watch.gates.is_empty() { String::new() } else { format!(": {}", watch.names()) };
    if watch.duration.is_zero() {
        return format!("measure the gates on {hosts}{gates}");
    }
    // Fractions of a second are noise for people.
    let whole = Duration::from_secs(watch.duration.as_secs());
    let duration = if whole.is_zero() { watch.duration } else { whole };
    format!("watch {hosts} for {}{gates}", humantime::format_duration(duration))
}
