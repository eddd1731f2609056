//! Processes of an OpenSSH server: connections, sessions and orphans.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use super::server::Sshd;
use crate::accounts::MARK;
use crate::capability::Capability;
use crate::process::{Process, related_processes};
use crate::wait::poll;

/// The time limit for the end of killed processes.
const END_LIMIT: Duration = Duration::from_secs(10);

impl Sshd {
    /// Returns the process ID of the listener, while the server runs.
    pub fn pid(&self) -> Option<i32> {
        self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok())
    }

    /// Returns all processes of the server, including the listener.
    ///
    /// A process belongs to the server if it is a descendant of the listener, has the server's mark
    /// in its environment (sudo keeps the mark for the accounts of the harness), or shares a
    /// session with such a process, like an orphan. A process without the mark in a new session is
    /// missed. Use [`processes_matching`](crate::processes_matching) to find such a process.
    pub fn processes(&self) -> Vec<Process> {
        self.processes_with(&HashSet::new())
    }

    /// Returns the processes started by commands: [`Sshd::processes`] without the processes of
    /// sshd.
    pub fn session_processes(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| !self.is_sshd(process)).collect()
    }

    /// Returns the number of open connections, including those before the login.
    pub fn connections(&self) -> usize {
        let listener = self.pid();
        self.processes().iter().filter(|process| Some(process.ppid) == listener).count()
    }

    /// Returns the number of open sessions (commands, shells, subsystems) over all connections.
    pub fn open_sessions(&self) -> usize {
        let all = self.processes();
        let listener = self.pid();
        // sshd makes the process of each session a session leader. The process of each connection
        // is a session leader, too, but a child of the listener.
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
        related_processes(&all, own.map_or(0, |own| own.sid), |process| {
            Some(process.pid) == listener || known.contains(&process.pid) || process.has_env(&entry)
        })
    }

    /// Returns `true` for a process of sshd, titled `sshd: user [priv]` or `sshd-session: …`.
    fn is_sshd(&self, process: &Process) -> bool {
        Some(process.pid) == self.pid()
            || ["sshd: ", "sshd-session: ", "sshd-auth: "].iter().any(|name| process.cmdline.starts_with(name))
    }

    /// Kills the listener and all processes of the server.
    pub(super) fn kill_all(&mut self) {
        let mut known = self.processes();
        if let Some(mut child) = self.child.take() {
            // The kill fails if the listener has ended already. The wait succeeds in both cases.
            let _ = child.kill();
            let _ = child.wait();
        }

        let ended = poll(END_LIMIT, || {
            known.retain(Process::is_alive);
            let pids = known.iter().map(|process| process.pid).collect();
            known = self.processes_with(&pids);
            known.iter().for_each(Process::kill);
            known.is_empty().then_some(())
        });
        // Without root, processes under sudo cannot be killed. A panic here would hide the panic of
        // the test.
        if ended.is_none() && Capability::Accounts.is_available() {
            let _ = writeln!(io::stderr(), "processes could not be killed: {known:?}");
        }
    }
}
