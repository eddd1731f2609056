//! Progress of transfers as plain lines, for logs and pipes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fabrs_core::Host;
use fabrs_core::event::{Event, Granularity, OutputQueue, Prefix, Sink, Stream, Style};
use indicatif::{BinaryBytes, HumanDuration};

use super::mutex::lock;
use super::transfer_progress::{ByteProgress, TransferProgress};

/// Time from the start of a transfer to the first line.
const FIRST_LINE_DELAY: Duration = Duration::from_secs(5);
/// Time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// An event sink: prints a line every few seconds for each host with a running transfer, and a line
/// for all hosts.
pub(super) struct ProgressLines {
    output: Arc<OutputQueue>,
    style: Style,
    /// Returns the time since the start of the run.
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<LineState>,
}

#[derive(Debug, Default)]
struct LineState {
    transfers: TransferProgress,
    /// The schedule of each host. The key `None` stands for the line about all hosts.
    schedules: HashMap<Option<Host>, LineSchedule>,
}

#[derive(Debug)]
struct LineSchedule {
    since: Duration,
    due: Duration,
}

impl ProgressLines {
    pub(super) fn new(output: Arc<OutputQueue>, style: Style) -> Self {
        let started = Instant::now();
        Self { output, style, clock: Box::new(move || started.elapsed()), state: Mutex::default() }
    }
}

impl Sink for ProgressLines {
    fn event(&self, event: &Event<'_>) {
        let Event::Progress { host, elapsed, .. } = event else { return };
        let now = (self.clock)();
        let mut state = lock(&self.state);
        let LineState { transfers, schedules } = &mut *state;
        transfers.record(event);
        let of_host =
            transfers.of_host(host).map(|(label, amount)| (Prefix::Host.of(Some(host), self.style) + &label, amount));
        let of_all = transfers.of_all_hosts().map(|(hosts, amount)| (format!("{hosts} hosts"), amount));
        for (host, progress) in [(Some((*host).clone()), of_host), (None, of_all)] {
            let Some((label, amount)) = progress else {
                schedules.remove(&host);
                continue;
            };
            let since = now.saturating_sub(*elapsed);
            let schedule =
                schedules.entry(host).or_insert_with(|| LineSchedule { since, due: since + FIRST_LINE_DELAY });
            if now >= schedule.due {
                schedule.due = now + LINE_INTERVAL;
                let line = format!("{label}: {}\n", progress_text(amount, now.saturating_sub(schedule.since)));
                self.output.push(Stream::Stderr, line.as_bytes());
            }
        }
    }

    fn granularity(&self) -> Granularity {
        Granularity::NONE
    }
}

impl fmt::Debug for ProgressLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressLines").field("style", &self.style).finish_non_exhaustive()
    }
}

/// Returns the progress, speed and remaining time of a transfer:
/// `45 % of 2.0 GiB, 117.0 MiB/s, 8 seconds left`.
fn progress_text(ByteProgress { done, total }: ByteProgress, elapsed: Duration) -> String {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
    let rate = u64::try_from(u128::from(done) * 1000 / elapsed.as_millis().max(1)).unwrap_or(u64::MAX);
    let left = Duration::from_secs(total.saturating_sub(done) / rate.max(1));
    format!("{percent} % of {}, {}/s, {} left", BinaryBytes(total), BinaryBytes(rate), HumanDuration(left))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A progress event: number of the transfer, host, start of the transfer and time of the event
    /// (both in seconds), and transferred MiB (of 1000 MiB).
    type ProgressUpdate = (u64, &'static str, u64, u64, u64);

    /// Sends events to a sink and returns the lines written to stderr.
    fn written(events: &[ProgressUpdate], is_last: bool) -> String {
        let (mut reader, stderr) = std::io::pipe().unwrap();
        let output = Arc::new(OutputQueue::new(std::io::sink(), stderr, || {}));
        let now = Arc::new(AtomicU64::new(0));
        let seconds = Arc::clone(&now);
        let clock = Box::new(move || Duration::from_secs(seconds.load(Ordering::Relaxed)));
        let lines = ProgressLines { clock, ..ProgressLines::new(Arc::clone(&output), Style::Plain) };
        for (number, host, started, sent_at, done) in events {
            let host: Host = host.parse().unwrap();
            now.store(*sent_at, Ordering::Relaxed);
            let (elapsed, done, total) = (Duration::from_secs(sent_at - started), done << 20, 1000 << 20);
            let operation = "put a -> /b";
            lines.event(&Event::Progress {
                id: *number,
                host: &host,
                operation,
                done_bytes: done,
                total_bytes: total,
                elapsed,
                is_finished: is_last,
            });
        }
        output.finish();
        drop((lines, output));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn lines_appear_at_the_interval_and_not_at_the_end() {
        let events =
            [(1, "web1", 20, 21, 10), (1, "web1", 20, 25, 50), (1, "web1", 20, 29, 90), (1, "web1", 20, 35, 300)];
        let lines = "[web1] put a -> /b: 5 % of 1000.00 MiB, 10.00 MiB/s, 2 minutes left\n\
                     [web1] put a -> /b: 30 % of 1000.00 MiB, 20.00 MiB/s, 35 seconds left\n";
        assert_eq!(written(&events, false), lines);
        assert_eq!(written(&[(1, "web1", 0, 60, 900)], true), "");
    }

    #[test]
    fn several_hosts_have_a_common_line_at_the_same_interval() {
        let events: Vec<ProgressUpdate> =
            (21..60).flat_map(|now| [(1, "web1", 0, now, now * 10), (2, "web2", 20, now, (now - 20) * 10)]).collect();
        let text = written(&events, false);
        let of = |host: &str| text.lines().filter(|line| line.starts_with(host)).count();
        assert_eq!((of("[web1]"), of("[web2]"), of("2 hosts")), (4, 4, 4), "{text}");
    }
}
