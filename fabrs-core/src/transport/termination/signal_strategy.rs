//! Ending a command on a server that takes no signals.
//!
//! A root login on sshd, a server older than OpenSSH 7.9 and one of another kind pass no `signal` request on to a
//! command's process group. Such a command is started beside a watcher in the same group. The watcher reads the names of
//! signals from the channel's input. When the connection breaks, it reads the end of file and ends the group too. The
//! command itself reads an empty input. A command with an input of its own is ended over another channel
//! ([`Group`](super::process_group::Group)).

use bytes::Bytes;

use crate::output::Signal;
use crate::shell::quote;
use crate::transport::request::{Invocation, Program, Stdin};
use crate::transport::stdin_queue::OPENING;

/// What a terminal takes for an interrupt and for a quit (`stty intr`, `stty quit`), unless a program has changed it.
const INTERRUPT: &[u8] = &[3];
const QUIT: &[u8] = &[28];

/// The script of the guard process. It expects the program as the shell function `run`.
const GUARD_SCRIPT: &str = include_str!("guard_process.sh");

/// How a command can be told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By the `signal` request of RFC 4254 §6.9.
    Signal,
    /// By a word to the watcher beside it.
    Watcher,
    /// By a command of its own that sends the signal to the process group, which is told at the beginning.
    Group,
    /// By a key, for a command on a pty.
    Key,
    /// By the end of its input, for a subsystem: it has no shell to start a watcher, and reads nothing else.
    Input,
}

impl Ending {
    /// Returns how a command can be told to end.
    pub(crate) fn of(passes_signals: bool, invocation: &Invocation) -> Self {
        match (&invocation.program, invocation.pty.is_some(), &invocation.stdin) {
            // sshd takes no signals for a subsystem, whoever has logged in.
            (Program::Subsystem(_), ..) => Self::Input,
            _ if passes_signals => Self::Signal,
            (_, true, _) => Self::Key,
            (_, false, Stdin::Empty) => Self::Watcher,
            (_, false, _) => Self::Group,
        }
    }

    /// Returns the script that runs a program beside a watcher, where this is the way to end it.
    ///
    /// POSIX only; tested with dash, bash and busybox. The program runs in the foreground: a background list ignores INT and
    /// QUIT. The shell waits for the program: dropbear closes the channel when the shell ends. The watcher ignores the TERM
    /// that it sends to its own group: KILL may have to follow. After TERM it also ignores VTALRM, outlives the shell and ends
    /// the rest of the group.
    ///
    /// Without process groups and without `setsid`, only the direct child can be ended. The shell then waits for the watcher.
    /// The open channel makes fabrs report the command as possibly left over. Messages of the shell itself ("Terminated")
    /// are discarded.
    pub(crate) fn script(self, program: &Program) -> Option<String> {
        let run = body(program)?;
        (self == Self::Watcher).then(|| format!("run() {{ {run}\n}}\n{}", without_comments(GUARD_SCRIPT)))
    }

    /// Returns what the input begins with: nobody but a watcher is to wait for the rest of it.
    pub(crate) fn opening(self) -> Option<Bytes> {
        (self == Self::Watcher).then(|| Bytes::from_static(OPENING.as_bytes()))
    }

    /// Returns what is written for a signal; nothing where it goes another way, or the input is ended.
    pub(crate) fn words(self, signal: &Signal) -> Option<Bytes> {
        // What passes a signal on takes HUP for KILL, which nobody can pass on.
        let kills = matches!(signal.name(), "KILL" | "HUP");
        match (self, signal.name()) {
            (Self::Signal | Self::Group | Self::Input, _) => None,
            (Self::Watcher, name) if signal.is_plain() => Some(Bytes::from(format!("{name}\n"))),
            (Self::Key, "QUIT") => Some(Bytes::from_static(QUIT)),
            (Self::Key, _) if kills => Some(Bytes::from_static(QUIT)),
            (Self::Key, "INT" | "TERM") => Some(Bytes::from_static(INTERRUPT)),
            // One that asks for something else than the end must not end it: there is no way for it.
            (Self::Watcher | Self::Key, _) => Some(Bytes::new()),
        }
    }
}

/// Returns a script without its comments and indentation: the script is sent with each command.
fn without_comments(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the shell code that runs a program; nothing for a subsystem.
///
/// A line is run by the login shell, of which the server leaves the path in `SHELL`.
pub(crate) fn body(program: &Program) -> Option<String> {
    match program {
        Program::Line(line) => Some(format!("exec \"${{SHELL:-/bin/sh}}\" -c {}", quote(line).ok()?)),
        Program::Script(script) => Some(script.to_string()),
        Program::Subsystem(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Pty;

    const PASSES: bool = true;
    const REFUSES: bool = false;

    #[track_caller]
    fn case(passes_signals: bool, change: impl FnOnce(&mut Invocation), expected: Ending) {
        let (program, stdin) = (Program::Line("ls".into()), Stdin::Empty);
        let last_signal = Signal::new("KILL");
        let mut invocation =
            Invocation { program, shown: "ls".into(), pty: None, stdin, has_secret: false, last_signal };
        change(&mut invocation);
        assert_eq!(Ending::of(passes_signals, &invocation), expected);
    }

    #[test]
    fn another_way_than_signals_is_needed_only_where_they_are_not_passed_on() {
        case(PASSES, |_| {}, Ending::Signal);
        case(PASSES, |it| it.pty = Some(Pty::default()), Ending::Signal);
        case(REFUSES, |_| {}, Ending::Watcher);
        case(REFUSES, |it| it.pty = Some(Pty::default()), Ending::Key);
        case(REFUSES, |it| it.stdin = Stdin::Bytes(Bytes::new()), Ending::Group);
        case(PASSES, |it| it.program = Program::Subsystem("sftp"), Ending::Input);
    }
}
