//! The numbered phases of an operation: events at the start and the end of each phase.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fabrs::config::Mode;
use fabrs::event::{Event, OutcomeKind};
use fabrs::transport::StopLevel;
use fabrs::{Client, Connection, Host};

/// The minimum difference between the slowest host and the next host to name the slowest host.
const NOTABLE_DIFFERENCE: Duration = Duration::from_secs(1);

/// The number of planned phases, and of the phases started so far.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    total: AtomicUsize,
    started: AtomicUsize,
}

impl Phases {
    /// Sets the number of phases of an operation, and starts at the first phase.
    pub(super) fn plan(&self, total: usize) {
        self.total.store(total, Ordering::Relaxed);
        self.started.store(0, Ordering::Relaxed);
    }
}

/// A phase between its two events. A drop before [`done`](Self::done) ends the phase as failed, or
/// as cancelled after a stop of the run.
#[derive(Debug)]
#[must_use = "a dropped phase has failed"]
pub(super) struct RunningPhase {
    client: Client,
    number: Option<usize>,
    total: usize,
    name: String,
    hosts: Vec<Host>,
    start: Instant,
    /// The time from the start of the phase to the end of each host.
    times: Mutex<HashMap<Host, Duration>>,
    is_done: bool,
}

impl RunningPhase {
    /// Emits the start of the next planned phase.
    pub(super) fn start(client: &Client, phases: &Phases, name: String, hosts: &[Connection]) -> Self {
        let number = phases.started.fetch_add(1, Ordering::Relaxed) + 1;
        Self::start_with(client, phases, Some(number), name, hosts)
    }

    /// Emits the start of a phase outside the plan.
    pub(super) fn start_unplanned(client: &Client, phases: &Phases, name: String, hosts: &[Connection]) -> Self {
        Self::start_with(client, phases, None, name, hosts)
    }

    fn start_with(client: &Client, phases: &Phases, number: Option<usize>, name: String, hosts: &[Connection]) -> Self {
        let (client, total) = (client.clone(), phases.total.load(Ordering::Relaxed));
        let hosts: Vec<Host> = hosts.iter().filter_map(Connection::host).cloned().collect();
        let is_dry_run = client.settings().mode == Mode::DryRun;
        client.sink().event(&Event::PhaseStarted { number, total, name: &name, hosts: &hosts, is_dry_run });
        let (start, times) = (Instant::now(), Mutex::default());
        Self { client, number, total, name, hosts, start, times, is_done: false }
    }

    /// Runs the work of a host, and records its end.
    pub(super) async fn time<T>(&self, host: &Connection, work: impl Future<Output = T>) -> T {
        let result = work.await;
        if let Some(host) = host.host() {
            let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.insert(host.clone(), self.start.elapsed());
        }
        result
    }

    /// Ends the phase with a result in a few words. An empty result is allowed.
    pub(super) fn done(mut self, detail: impl AsRef<str>) {
        self.is_done = true;
        self.emit_end(OutcomeKind::Ok, detail.as_ref());
    }

    fn emit_end(&self, outcome: OutcomeKind, detail: &str) {
        let Self { number, total, name, hosts, start, .. } = self;
        let elapsed = start.elapsed();
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let slowest = slowest(&times);
        let (number, total) = (*number, *total);
        let sink = self.client.sink();
        sink.event(&Event::PhaseEnded { number, total, name, hosts, outcome, elapsed, slowest, detail });
    }
}

impl Drop for RunningPhase {
    fn drop(&mut self) {
        if !self.is_done {
            let is_stopped = self.client.stop().level() > StopLevel::None;
            self.emit_end(if is_stopped { OutcomeKind::Cancelled } else { OutcomeKind::Failed }, "");
        }
    }
}

/// Returns the slowest of several hosts, if it took clearly longer than the next host.
fn slowest(times: &HashMap<Host, Duration>) -> Option<&Host> {
    let mut times: Vec<(&Host, Duration)> = times.iter().map(|(host, time)| (host, *time)).collect();
    times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    match times.as_slice() {
        [(host, first), (_, second), ..] => {
            let difference = first.saturating_sub(*second);
            (difference >= NOTABLE_DIFFERENCE && difference * 4 >= *second).then_some(*host)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clearly_slower_host_is_named() {
        let slowest_of = |seconds: &[u64]| {
            let host = |number: usize| format!("web{number}").parse::<Host>().unwrap();
            let times = seconds.iter().enumerate().map(|(index, time)| (host(index + 1), Duration::from_secs(*time)));
            slowest(&times.collect()).map(ToString::to_string)
        };
        assert_eq!(slowest_of(&[30, 31, 41]).as_deref(), Some("web3"));
        assert_eq!(slowest_of(&[39, 40, 41]), None);
        assert_eq!(slowest_of(&[41]), None);
        assert_eq!(slowest_of(&[0, 0]), None);
    }
}
