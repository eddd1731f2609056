//! State of all running transfers, by host.

use std::collections::{BTreeMap, HashMap};
use std::ops::Add;

use fabrs_core::Host;
use fabrs_core::event::{Event, escape_controls};

/// Transferred and total bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ByteProgress {
    pub(super) done: u64,
    pub(super) total: u64,
}

impl Add for ByteProgress {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { done: self.done + other.done, total: self.total + other.total }
    }
}

/// The progress of all running transfers.
#[derive(Debug, Default)]
pub(super) struct TransferProgress {
    hosts: HashMap<Host, BTreeMap<u64, (String, ByteProgress)>>,
    /// Bytes of finished transfers. They count until the last transfer of all hosts has finished.
    finished: HashMap<Host, ByteProgress>,
}

impl TransferProgress {
    /// Records a progress event.
    pub(super) fn record(&mut self, event: &Event<'_>) {
        let Event::Progress { id: number, host, operation, done_bytes: done, total_bytes: total, is_finished, .. } =
            *event
        else {
            return;
        };
        let of_host = self.hosts.entry(host.clone()).or_default();
        if is_finished {
            of_host.remove(&number);
            let finished = self.finished.entry(host.clone()).or_default();
            *finished = *finished + ByteProgress { done, total: done };
        } else {
            of_host.insert(number, (escape_controls(operation).into_owned(), ByteProgress { done, total }));
        }
        self.hosts.retain(|_, of_host| !of_host.is_empty());
        if self.hosts.is_empty() {
            self.finished.clear();
        }
    }

    /// Returns the hosts with running transfers, sorted by name.
    pub(super) fn hosts(&self) -> Vec<&Host> {
        let mut hosts: Vec<_> = self.hosts.keys().collect();
        hosts.sort_by_key(|host| host.label().to_string());
        hosts
    }

    /// Returns the label and progress of a host's running transfers.
    pub(super) fn of_host(&self, host: &Host) -> Option<(String, ByteProgress)> {
        let transfers = self.hosts.get(host)?;
        let amount = transfers.values().map(|(_, amount)| *amount).fold(ByteProgress::default(), ByteProgress::add);
        let label = match transfers.values().next()? {
            (only, _) if transfers.len() == 1 => only.clone(),
            _ => format!("{} files", transfers.len()),
        };
        Some((label, amount))
    }

    /// Returns the number of hosts and their total progress, or `None` for a single host.
    pub(super) fn of_all_hosts(&self) -> Option<(usize, ByteProgress)> {
        let waits = |host: &&Host| !self.hosts.contains_key(*host);
        let hosts = self.hosts.len() + self.finished.keys().filter(waits).count();
        let running = self.hosts.values().flat_map(BTreeMap::values).map(|(_, amount)| amount);
        let amount = running.chain(self.finished.values()).copied().fold(ByteProgress::default(), ByteProgress::add);
        (hosts > 1).then_some((hosts, amount))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn finished_bytes_count_until_all_transfers_finish() {
        let (web1, web2): (Host, Host) = ("web1".parse().unwrap(), "web2".parse().unwrap());
        let mut transfers = TransferProgress::default();
        let mut note = |number, host, done, is_finished| {
            let (elapsed, operation) = (Duration::ZERO, ["a", "b"][usize::from(number == 2)]);
            transfers.record(&Event::Progress {
                id: number,
                host,
                operation,
                done_bytes: done,
                total_bytes: 100,
                elapsed,
                is_finished,
            });
            (transfers.of_host(host), transfers.of_all_hosts())
        };
        let amount = |done, total| ByteProgress { done, total };
        assert_eq!(note(1, &web1, 10, false), (Some(("a".to_owned(), amount(10, 100))), None));
        assert_eq!(note(2, &web1, 10, false).0, Some(("2 files".to_owned(), amount(20, 200))));
        assert_eq!(note(3, &web2, 50, false).1, Some((2, amount(70, 300))));
        note(1, &web1, 100, true);
        assert_eq!(note(2, &web1, 100, true), (None, Some((2, amount(250, 300)))));
        assert_eq!(note(3, &web2, 100, true), (None, None));
    }
}
