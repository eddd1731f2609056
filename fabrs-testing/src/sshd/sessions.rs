//! What runs because of a server: its connections, their sessions, and what these left behind.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use super::server::Sshd;
use crate::accounts::MARK;
use crate::capability::Capability;
use crate::process::{Process, family};
use crate::wait::poll;

/// How long what was killed may take to be gone.
const END_LIMIT: Duration = Duration::from_secs(10);

impl Sshd {
    /// Returns the number of the process that listens, while there is one.
    pub fn pid(&self) -> Option<i32> {
        self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok())
    }

    /// Returns every process that is there because of this server, itself included.
    ///
    /// That is what it started, what carries the mark it gives to its sessions (sudo keeps it for
    /// the accounts of the harness), what these started, and what shares a session with any of
    /// them, as orphans do. Only what drops its environment *and* leaves its session is missed:
    /// find that with [`processes_matching`](crate::processes_matching).
    pub fn processes(&self) -> Vec<Process> {
        self.processes_with(&HashSet::new())
    }

    /// Returns the processes that commands started: [`Sshd::processes`] without sshd's own.
    pub fn session_processes(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| !self.is_sshd(process)).collect()
    }

    /// Returns how many connections are open, logged in or not.
    pub fn connections(&self) -> usize {
        let listener = self.pid();
        self.processes().iter().filter(|process| Some(process.ppid) == listener).count()
    }

    /// Returns how many sessions (commands, shells, subsystems) are open, over all connections.
    pub fn open_sessions(&self) -> usize {
        let all = self.processes();
        let listener = self.pid();
        // sshd makes each the leader of a session of its own; so is each connection's process,
        // which is the listener's child.
        all.iter()
            .filter(|process| process.pid == process.sid && Some(process.ppid) != listener)
            .filter(|process| all.iter().any(|p| p.pid == process.ppid && self.is_sshd(p)))
            .count()
    }

    fn processes_with(&self, known: &HashSet<i32>) -> Vec<Process> {
        let all = Process::all();
        let entry = format!("{}={}", MARK, self.mark);
        let own = i32::try_from(std::process::id()).ok().and_then(Process::find);
        let listener = self.pid();
        family(&all, own.map_or(0, |own| own.sid), |process| {
            Some(process.pid) == listener || known.contains(&process.pid) || process.has_env(&entry)
        })
    }

    /// Whether it is a process of sshd, which names itself `sshd: user [priv]`, `sshd-session: …`.
    fn is_sshd(&self, process: &Process) -> bool {
        Some(process.pid) == self.pid()
            || ["sshd: ", "sshd-session: ", "sshd-auth: "].iter().any(|name| process.cmdline.starts_with(name))
    }

    /// Ends the listener and all that is there because of it.
    pub(super) fn end(&mut self) {
        let mut known = self.processes();
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself, which the wait tells as well.
            let _gone = child.kill();
            let _status = child.wait();
        }

        let ended = poll(END_LIMIT, || {
            known.retain(Process::is_alive);
            let pids = known.iter().map(|process| process.pid).collect();
            known = self.processes_with(&pids);
            known.iter().for_each(Process::kill);
            known.is_empty().then_some(())
        });
        // Without root, what sudo started is not ours to end; a panic here would hide the test's own.
        if ended.is_none() && Capability::Accounts.is_available() {
            let _lost = writeln!(io::stderr(), "could not be ended: {known:?}");
        }
    }
}
