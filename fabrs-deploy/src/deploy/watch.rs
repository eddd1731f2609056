//! The watch of a batch: its gates are measured until the end of the watch, or until a gate fails.

use std::sync::Arc;
use std::time::Duration;

use fabrs::transport::StopLevel;
use fabrs::{Connection, Error, ErrorKind, Group, TaskError, effect};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::deploy::rollout::Rollout;
use crate::gates::{Measurement, Verdict, Watch, WatchedHost};
use crate::outcomes::label;

/// Measures the gates of a watch on the hosts of a batch.
///
/// # Errors
///
/// [`ErrorKind::Task`] if a gate is bad, or inconclusive at the end of the watch. The error has the
/// last log lines of the host. [`ErrorKind::Cancelled`] after a stop of the run.
pub(super) async fn watch(rollout: &Rollout<'_>, batch: &Group, watch: &Watch) -> Result<(), TaskError> {
    if watch.is_empty() || batch.connections().is_empty() {
        return Ok(());
    }
    let mut hosts = Vec::new();
    for host in batch.connections() {
        let app = rollout.hosts.app(host, &rollout.target.release)?;
        hosts.push(WatchedHost::new(app, rollout.logs.spans(host)));
    }
    let text = describe(batch.connections(), watch);
    rollout.hosts.client().note(None, text.clone());
    rollout.set_phase("watch");
    // A dry run prints the watch and does not measure.
    effect(&text, measure_until_end(rollout, hosts.into(), watch)).await?;
    Ok(())
}

async fn measure_until_end(rollout: &Rollout<'_>, hosts: Arc<[WatchedHost]>, watch: &Watch) -> Result<(), TaskError> {
    let end = Instant::now() + watch.duration;
    loop {
        let last = measure(rollout, &hosts, watch).await?;
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return finish(rollout, watch, &last);
        }
        tokio::select! {
            () = sleep(rest.min(watch.interval)) => {}
            _ = rollout.hosts.client().stop().wait_above(StopLevel::None) => {
                return Err(Error::new(ErrorKind::Cancelled, "the watch was cancelled").into());
            }
        }
    }
}

/// Measures all gates once and in parallel.
///
/// # Errors
///
/// The error of the first bad gate.
async fn measure(
    rollout: &Rollout<'_>,
    hosts: &Arc<[WatchedHost]>,
    watch: &Watch,
) -> Result<Vec<Measurement>, TaskError> {
    let measured = join_all(watch.gates.iter().map(|gate| gate.measure(Arc::clone(hosts)))).await;
    let mut all = Vec::new();
    for (gate, measured) in watch.gates.iter().zip(measured) {
        let measured =
            measured.map_err(|error| error.context(format!("could not measure the gate `{}`", gate.name())))?;
        if measured.verdict == Verdict::Bad {
            let error = gate_error(&gate.name(), &measured);
            let host = hosts.iter().map(|host| host.app().host()).find(|host| host.host() == measured.host.as_ref());
            return Err(match host.or_else(|| hosts.first().map(|host| host.app().host())) {
                Some(host) => rollout.logs.with_lines(rollout.hosts, host, error.into()).await,
                None => error.into(),
            });
        }
        all.push(measured);
    }
    Ok(all)
}

/// Reports the last results.
///
/// # Errors
///
/// [`ErrorKind::Task`] if a gate is inconclusive.
fn finish(rollout: &Rollout<'_>, watch: &Watch, last: &[Measurement]) -> Result<(), TaskError> {
    for (gate, measured) in watch.gates.iter().zip(last) {
        match measured.verdict {
            Verdict::Good => {
                rollout.hosts.client().note(None, format!("gate passed: {}: {}", gate.name(), measured.text));
            }
            Verdict::Inconclusive | Verdict::Bad => return Err(gate_error(&gate.name(), measured).into()),
        }
    }
    Ok(())
}

fn gate_error(name: &str, measured: &Measurement) -> Error {
    let result = match measured.verdict {
        Verdict::Inconclusive => "is inconclusive",
        Verdict::Good | Verdict::Bad => "failed",
    };
    let error = Error::new(ErrorKind::Task, format!("gate {result}: {name}: {}", measured.text));
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
