//! What runs on this machine, read from `/proc`.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

/// One process, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The number of its parent; 1 (or a reaper) for an orphan.
    pub ppid: i32,
    /// Its process group.
    pub pgid: i32,
    /// Its session.
    pub sid: i32,
    /// The real user it runs as.
    pub uid: u32,
    /// Its arguments, joined by blanks.
    pub cmdline: String,
    /// When it started, in ticks since boot: tells it from a later process of the same number.
    started: u64,
}

impl Process {
    /// Returns every process of the machine that is alive; one that is dead and not yet waited for is not.
    ///
    /// # Panics
    ///
    /// If `/proc` can not be read.
    pub fn all() -> Vec<Self> {
        fs::read_dir("/proc")
            .expect("/proc is there on Linux")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::find)
            .collect()
    }

    /// Returns the process of this number if it is alive.
    pub fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold blanks and brackets itself: count from the last one.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }

        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()?;
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        Some(Self {
            pid,
            ppid: number(1)?,
            pgid: number(2)?,
            sid: number(3)?,
            uid,
            cmdline: arguments.trim_end().to_owned(),
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether this very process, not a later one of its number, is alive.
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Ends this very process with `SIGKILL`; one that is gone already, or not ours, is left alone.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Asks this very process to end, by `SIGTERM`.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Interrupts this very process, by `SIGINT`.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid)
            && self.is_alive()
        {
            // It may end between the look and the signal, which is what was wanted.
            let _gone = kill_process(pid, signal);
        }
    }

    /// Whether its environment, as it was at its start, contains `text` in a name or a value.
    fn env_contains(&self, text: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid)).is_ok_and(|env| String::from_utf8_lossy(&env).contains(text))
    }

    /// Whether its environment, as it was at its start, holds `entry` (`NAME=value`).
    pub(crate) fn has_env(&self, entry: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid))
            .is_ok_and(|env| env.split(|byte| *byte == 0).any(|found| found == entry.as_bytes()))
    }
}

/// Returns every process whose command line contains `text`, of whatever user.
///
/// This machine plays both sides: a local `ssh host 'sleep 7005.1'` is found beside the `sleep` it started.
pub fn processes_matching(text: &str) -> Vec<Process> {
    Process::all().into_iter().filter(|process| process.cmdline.contains(text)).collect()
}

/// Returns every process whose command line or environment contains `text`, of whatever user.
///
/// The environment is that of the process's start. Without root, only that of the user's own processes can be read.
pub fn processes_carrying(text: &str) -> Vec<Process> {
    Process::all().into_iter().filter(|process| process.cmdline.contains(text) || process.env_contains(text)).collect()
}

/// Returns a number of seconds that no other test uses: `sleep` it, then find it with [`processes_matching`].
pub fn marker() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("7005.{:07}{:04}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Returns those of `all` that `is_root` picks, what they started, and what shares a session with one of these.
///
/// Sharing a session is what still ties an orphan to its shell's descendants. `foreign_sid` is the session that
/// proves nothing: the one in which the test itself runs.
pub(crate) fn family(all: &[Process], foreign_sid: i32, is_root: impl Fn(&Process) -> bool) -> Vec<Process> {
    let mut pids: HashSet<i32> = all.iter().filter(|process| is_root(process)).map(|process| process.pid).collect();
    loop {
        let sids: HashSet<i32> =
            all.iter().filter(|p| pids.contains(&p.pid) && p.sid != foreign_sid).map(|p| p.sid).collect();
        let more: Vec<i32> = all
            .iter()
            .filter(|p| !pids.contains(&p.pid) && (pids.contains(&p.ppid) || sids.contains(&p.sid)))
            .map(|p| p.pid)
            .collect();
        if more.is_empty() {
            return all.iter().filter(|process| pids.contains(&process.pid)).cloned().collect();
        }
        pids.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, session: i32) -> Process {
        Process { pid, ppid: parent, pgid: session, sid: session, uid: 0, cmdline: String::new(), started: 0 }
    }

    fn pids(found: &[Process]) -> Vec<i32> {
        found.iter().map(|process| process.pid).collect()
    }

    #[test]
    fn an_orphan_is_found_by_the_session_it_shares() {
        let all = [process(10, 1, 5), process(20, 10, 20), process(31, 1, 20), process(40, 1, 40)];
        assert_eq!(pids(&family(&all, 5, |p| p.pid == 10)), [10, 20, 31]);
    }

    #[test]
    fn the_session_of_the_test_proves_nothing() {
        let all = [process(10, 2, 5), process(2, 1, 5), process(11, 10, 5)];
        assert_eq!(pids(&family(&all, 5, |p| p.pid == 10)), [10, 11]);
    }

    #[test]
    fn this_process_is_alive_and_found() {
        let own = i32::try_from(std::process::id()).expect("process numbers are small");
        let found = Process::find(own).expect("this process runs");
        assert!(found.is_alive());
        assert!(Process::all().iter().any(|process| process.pid == own));
    }

    #[test]
    fn no_two_markers_are_equal() {
        assert_ne!(marker(), marker());
    }
}
