//! Processes of a cell that are still there after it.

use std::time::Duration;

use fabrs_testing::{Process, poll, processes_marked_with};
use tokio::task::block_in_place;

use crate::machine::Machine;

/// How long a process may take to end after its cell: beyond every grace period of fabrs.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The processes that a cell left, which are ended.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// The run reports that they may still be running.
    pub(crate) reported: Vec<Process>,
    /// The run does not report them.
    pub(crate) unreported: Vec<Process>,
}

/// The processes of one cell, and the reports of its run.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) machine: &'a Machine,
    /// In the command line or environment of the cell's processes.
    pub(crate) token: &'a str,
    /// In the command line of one command's processes each: the token and more.
    pub(crate) marks: Vec<String>,
    /// Texts that name commands which may still be running.
    pub(crate) reports: Vec<String>,
}

impl Search<'_> {
    /// Waits until every process of the cell is gone or reported, and ends those that are left.
    pub(crate) fn end_leftovers(&self) -> Leftovers {
        block_in_place(|| {
            let left = self.wait_for_end();
            let (reported, unreported) = left.iter().cloned().partition(|process| self.is_reported(process, &left));
            // A parent may start another child before it is killed itself.
            let killed = poll(END_LIMIT, || {
                let found = self.find();
                found.iter().for_each(Process::kill);
                found.is_empty().then_some(())
            });
            assert!(killed.is_some(), "processes of {} outlive KILL", self.token);
            Leftovers { reported, unreported }
        })
    }

    /// Returns what is left when only reported processes are, or the time is over.
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

    /// Whether a report names the command of this process, or of another in its group.
    fn is_reported(&self, process: &Process, all: &[Process]) -> bool {
        let group = all.iter().filter(|other| other.pgid == process.pgid);
        match self.mark_in(process) {
            Some(mark) => self.names(mark),
            None => group.filter_map(|other| self.mark_in(other)).any(|mark| self.names(mark)),
        }
    }

    /// Returns the mark of the command that the process belongs to, if its command line has one.
    fn mark_in(&self, process: &Process) -> Option<&str> {
        let marks = self.marks.iter().map(String::as_str).chain([self.token]);
        marks.into_iter().find(|mark| process.cmdline.contains(mark))
    }

    fn names(&self, mark: &str) -> bool {
        self.reports.iter().any(|report| report.contains(mark))
    }
}
