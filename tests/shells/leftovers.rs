//! Processes remaining after a cell.

use std::time::Duration;

use fabrs_testing::{Process, poll, processes_marked_with};
use tokio::task::block_in_place;

use crate::machine::Machine;

/// The time limit for the end of a process after the cell, longer than every grace period of fabrs.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The processes remaining after a cell. All of them have been killed.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// Reported processes. The run warns about these processes: they may still be running.
    pub(crate) reported: Vec<Process>,
    /// Processes without a report of the run.
    pub(crate) unreported: Vec<Process>,
}

/// A search for the processes of a cell.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) machine: &'a Machine,
    /// A token in the command line or environment of the cell's processes.
    pub(crate) token: &'a str,
    /// The marks of the cell's commands: the token with a suffix for each command. All processes of
    /// a command have the mark in the command line.
    pub(crate) marks: Vec<String>,
    /// Reports of commands that may still be running.
    pub(crate) reports: Vec<String>,
}

impl Search<'_> {
    /// Waits until every process of the cell has ended or is reported, and kills the remaining
    /// processes.
    pub(crate) fn end_leftovers(&self) -> Leftovers {
        block_in_place(|| {
            let left = self.wait_for_end();
            let (reported, unreported) = left.iter().cloned().partition(|process| self.is_reported(process, &left));
            // A parent may start another child before the kill.
            let killed = poll(END_LIMIT, || {
                let found = self.find();
                found.iter().for_each(Process::kill);
                found.is_empty().then_some(())
            });
            assert!(killed.is_some(), "processes of {} outlive KILL", self.token);
            Leftovers { reported, unreported }
        })
    }

    /// Returns the remaining processes: only reported processes, or all of them after the time
    /// limit.
    fn wait_for_end(&self) -> Vec<Process> {
        let is_over = |found: &Vec<Process>| found.iter().all(|process| self.is_reported(process, found));
        poll(END_LIMIT, || Some(self.find()).filter(is_over)).unwrap_or_else(|| self.find())
    }

    fn find(&self) -> Vec<Process> {
        let mut found = self.machine.session_processes();
        found.extend(processes_marked_with(self.token));
        found.sort_by_key(|process| process.pid);
        found.dedup_by_key(|process| process.pid);
        found
    }

    /// Returns `true` if a report names the command of this process, or of another process in the
    /// same group.
    fn is_reported(&self, process: &Process, all: &[Process]) -> bool {
        let group = all.iter().filter(|other| other.pgid == process.pgid);
        match self.mark_in(process) {
            Some(mark) => self.names(mark),
            None => group.filter_map(|other| self.mark_in(other)).any(|mark| self.names(mark)),
        }
    }

    /// Returns the mark of the process's command, if the command line contains a mark.
    fn mark_in(&self, process: &Process) -> Option<&str> {
        let marks = self.marks.iter().map(String::as_str).chain([self.token]);
        marks.into_iter().find(|mark| process.cmdline.contains(mark))
    }

    fn names(&self, mark: &str) -> bool {
        self.reports.iter().any(|report| report.contains(mark))
    }
}
