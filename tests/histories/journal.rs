//! The journals of the hosts, and the rules of a valid journal.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// The entries `STEP RUN` of a host, in the order of creation.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: Vec<(String, String)>,
    current: String,
}

impl Journal {
    /// Reads the journal in the directory of a host.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("journal")).unwrap_or_default();
        let entry = |line: &str| line.split_once(' ').map(|(step, run)| (step.to_owned(), run.to_owned()));
        let current = fs::read_link(folder.join("current")).unwrap_or_default();
        Self { entries: text.lines().filter_map(entry).collect(), current: current.display().to_string() }
    }

    /// Returns the runs with a switch of the host.
    pub(crate) fn switched(&self) -> HashSet<&str> {
        let switches = self.entries.iter().filter(|(step, _)| step == "switch");
        switches.map(|(_, run)| run.as_str()).collect()
    }

    /// Checks two rules: a run makes no change after a later run has changed the host, and the run
    /// of the last switch is live.
    ///
    /// # Errors
    ///
    /// Describes the violated rule.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut over = HashSet::new();
        for pair in self.entries.windows(2) {
            let [(_, before), (step, run)] = pair else { continue };
            if before != run {
                over.insert(before);
            }
            if over.contains(run) {
                return Err(format!("`{step}` of {run} after another run had the lock: {:?}", self.entries));
            }
        }
        let last = self.entries.iter().rev().find(|(step, _)| step == "switch").map_or("", |(_, run)| run);
        if last != self.current {
            return Err(format!("`{}` is live, and {last} was switched last: {:?}", self.current, self.entries));
        }
        Ok(())
    }
}
