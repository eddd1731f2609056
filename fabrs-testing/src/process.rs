//! Processes of the machine, read from `/proc`.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

/// A snapshot of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The process ID.
    pub pid: i32,
    /// The parent process ID. For an orphan, 1 or a reaper.
    pub ppid: i32,
    /// The process group ID.
    pub pgid: i32,
    /// The session ID.
    pub sid: i32,
    /// The real user ID.
    pub uid: u32,
    /// The arguments, joined by spaces.
    pub cmdline: String,
    /// The start time in clock ticks since boot, to detect a reused process ID.
    started: u64,
}

impl Process {
    /// Returns all live processes of the machine. Zombies are excluded.
    ///
    /// # Panics
    ///
    /// If `/proc` cannot be read.
    pub fn all() -> Vec<Self> {
        fs::read_dir("/proc")
            .expect("/proc is mounted")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::find)
            .collect()
    }

    /// Returns the live process with an ID.
    pub fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may contain spaces and parentheses.
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

    /// Returns `true` if the process is alive. A reused process ID does not count.
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Sends `SIGKILL`. Does nothing if the process has ended or belongs to another user.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends `SIGTERM`, under the same conditions as [`Process::kill`].
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends `SIGINT`, under the same conditions as [`Process::kill`].
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid)
            && self.is_alive()
        {
            // The signal fails if the process ends after the check.
            let _ = kill_process(pid, signal);
        }
    }

    /// Returns `true` if the environment at the start of the process contains `text`.
    fn env_contains(&self, text: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid)).is_ok_and(|env| String::from_utf8_lossy(&env).contains(text))
    }

    /// Returns `true` if the environment at the start of the process has the entry `NAME=value`.
    pub(crate) fn has_env(&self, entry: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid))
            .is_ok_and(|env| env.split(|byte| *byte == 0).any(|found| found == entry.as_bytes()))
    }
}

/// Returns all processes with `text` in the command line, of all users.
///
/// Client and server share the machine. For `ssh host 'sleep 7005.1'`, the result has both the
/// `ssh` process and the `sleep` process.
pub fn processes_matching(text: &str) -> Vec<Process> {
    Process::all().into_iter().filter(|process| process.cmdline.contains(text)).collect()
}

/// Returns all processes with `text` in the command line or the environment, of all users.
///
/// The environment is read as of the start of each process. Without root, only environments of the
/// current user's processes are readable.
pub fn processes_marked_with(text: &str) -> Vec<Process> {
    Process::all().into_iter().filter(|process| process.cmdline.contains(text) || process.env_contains(text)).collect()
}

/// Returns a unique number of seconds for `sleep`. [`processes_matching`] finds the process by this
/// number.
pub fn marker() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("7005.{:07}{:04}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Returns the processes accepted by `is_selected`, their descendants, and all processes of the
/// same sessions.
///
/// An orphan still shares the session of its shell. `test_sid` is the session of the test
/// itself. Membership in this session alone does not select a process.
pub(crate) fn related_processes(
    all: &[Process],
    test_sid: i32,
    is_selected: impl Fn(&Process) -> bool,
) -> Vec<Process> {
    let mut pids: HashSet<i32> = all.iter().filter(|process| is_selected(process)).map(|process| process.pid).collect();
    loop {
        let sids: HashSet<i32> =
            all.iter().filter(|p| pids.contains(&p.pid) && p.sid != test_sid).map(|p| p.sid).collect();
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
    fn an_orphan_is_found_by_its_session() {
        let all = [process(10, 1, 5), process(20, 10, 20), process(31, 1, 20), process(40, 1, 40)];
        assert_eq!(pids(&related_processes(&all, 5, |p| p.pid == 10)), [10, 20, 31]);
    }

    #[test]
    fn the_session_of_the_test_does_not_connect_processes() {
        let all = [process(10, 2, 5), process(2, 1, 5), process(11, 10, 5)];
        assert_eq!(pids(&related_processes(&all, 5, |p| p.pid == 10)), [10, 11]);
    }

    #[test]
    fn the_current_process_is_alive_and_listed() {
        let own = i32::try_from(std::process::id()).expect("a PID fits in i32");
        let found = Process::find(own).expect("this process runs");
        assert!(found.is_alive());
        assert!(Process::all().iter().any(|process| process.pid == own));
    }

    #[test]
    fn markers_are_unique() {
        assert_ne!(marker(), marker());
    }
}
