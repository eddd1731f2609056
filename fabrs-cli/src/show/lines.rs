//! How far transfers have come, in plain lines: for a log, where nothing can be written over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabrs_core::event::{Event, Granularity, Prefix, Sink, Spool, Stream, Style};
use indicatif::{BinaryBytes, HumanDuration};

use super::transfers::{Amount, Transfers};

/// When the first line is written.
const FIRST: Duration = Duration::from_secs(5);
/// How often more are.
const EVERY: Duration = Duration::from_secs(10);

/// Writes a line for a host every few seconds, as long as something is on its way to it or from it, and one for all of them.
#[derive(Debug)]
pub(super) struct Lines {
    spool: Arc<Spool>,
    style: Style,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    transfers: Transfers,
    /// When a line is due: of each host, and of all, which has no name.
    due: HashMap<Option<String>, Duration>,
}

impl Lines {
    pub(super) fn new(spool: Arc<Spool>, style: Style) -> Self {
        Self { spool, style, state: Mutex::default() }
    }
}

impl Sink for Lines {
    fn event(&self, event: &Event<'_>) {
        let Event::Progress { host, elapsed, over, .. } = event else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.transfers.note(event);
        if *over {
            return;
        }
        let of_host = state.transfers.of(host).map(|(what, amount)| (Some(host.label().to_string()), what, amount));
        let of_all = state.transfers.of_all().map(|(hosts, amount)| (None, format!("{hosts} hosts"), amount));
        for (whose, what, amount) in [of_host, of_all].into_iter().flatten() {
            let due = state.due.entry(whose.clone()).or_insert(FIRST);
            if *elapsed >= *due {
                *due = *elapsed + EVERY;
                let prefix = if whose.is_some() { Prefix::Host.of(Some(host), self.style) } else { String::new() };
                self.spool.push(Stream::Stderr, format!("{prefix}{what}: {}\n", said(amount, *elapsed)).as_bytes());
            } else if elapsed.saturating_add(EVERY) < *due {
                // Another transfer has begun.
                *due = FIRST;
            }
        }
    }

    fn granularity(&self) -> Granularity {
        Granularity { lines: false, bytes: false }
    }
}

/// Says how much has gone, how fast, and how long the rest will take: `45 % of 2.0 GiB, 117.0 MiB/s, 8 seconds left`.
fn said(Amount { done, total }: Amount, elapsed: Duration) -> String {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    let rate = u64::try_from(u128::from(done) * 1000 / elapsed.as_millis().max(1)).unwrap_or(u64::MAX);
    let left = Duration::from_secs(total.saturating_sub(done) / rate.max(1));
    format!("{percent} % of {}, {}/s, {} left", BinaryBytes(total), BinaryBytes(rate), HumanDuration(left))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use fabrs_core::Host;

    use super::*;

    /// Tells of events, and returns what is written to stderr.
    fn written(events: &[(&str, u64, u64, bool)]) -> String {
        let (mut reader, stderr) = std::io::pipe().unwrap();
        let spool = Arc::new(Spool::new(std::io::sink(), stderr, || {}));
        let lines = Lines::new(Arc::clone(&spool), Style::Plain);
        for (host, seconds, done, over) in events {
            let (host, elapsed): (Host, _) = (host.parse().unwrap(), Duration::from_secs(*seconds));
            let (done, total) = (done << 20, 1000 << 20);
            lines.event(&Event::Progress { host: &host, what: "put a -> /b", done, total, elapsed, over: *over });
        }
        spool.finish();
        drop((lines, spool));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_line_is_written_every_few_seconds_and_none_at_the_end() {
        let events = [("web1", 1, 10, false), ("web1", 5, 50, false), ("web1", 9, 90, false), ("web1", 15, 300, false)];
        let lines = "[web1] put a -> /b: 5 % of 1000.00 MiB, 10.00 MiB/s, 2 minutes left\n\
                     [web1] put a -> /b: 30 % of 1000.00 MiB, 20.00 MiB/s, 35 seconds left\n";
        assert_eq!(written(&events), lines);
        assert_eq!(written(&[("web1", 1, 10, false), ("web1", 60, 900, true)]), "");
    }

    #[test]
    fn of_several_hosts_there_is_a_line_for_all() {
        let text = written(&[("web1", 6, 60, false), ("web2", 6, 30, false)]);
        let lines = "[web1] put a -> /b: 6 % of 1000.00 MiB, 10.00 MiB/s, 2 minutes left\n\
                     [web2] put a -> /b: 3 % of 1000.00 MiB, 5.00 MiB/s, 3 minutes left\n\
                     2 hosts: 4 % of 1.95 GiB, 15.00 MiB/s, 2 minutes left\n";
        assert_eq!(text, lines);
    }

    #[test]
    fn the_next_transfer_of_a_host_is_told_of_from_its_beginning() {
        let text =
            written(&[("web1", 40, 60, false), ("web1", 41, 60, true), ("web1", 1, 1, false), ("web1", 6, 6, false)]);
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
