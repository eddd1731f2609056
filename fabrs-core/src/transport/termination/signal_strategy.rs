//! Selection of a signal strategy for a remote command, and the script of the guard process.
//!
//! The strategies are explained in the [parent module](crate::transport::termination).

use bytes::Bytes;

use crate::output::Signal;
use crate::shell::quote;
use crate::transport::request::{Invocation, Program, StdinSource};
use crate::transport::stdin_queue::STDIN_PREAMBLE;

/// The interrupt and quit characters of a terminal (`stty intr`, `stty quit`), unless a program has
/// changed them.
const INTERRUPT_KEY: &[u8] = &[3];
const QUIT_KEY: &[u8] = &[28];

/// The script of the guard process. It expects the program as the shell function `run`.
const GUARD_SCRIPT: &str = include_str!("guard_process.sh");

/// The delivery of signals to a remote command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalStrategy {
    /// The `signal` request of RFC 4254 §6.9.
    Request,
    /// A line on the stdin of the guard process.
    GuardProcess,
    /// A helper command on a second channel, with the process group printed by the command.
    SideChannel,
    /// A keystroke, for a command on a pseudo-terminal.
    Keystroke,
    /// The end of the stdin, for a subsystem. It has no shell to start a guard process.
    StdinEof,
}

impl SignalStrategy {
    /// Returns the strategy for a command on a server with or without signal forwarding.
    pub(crate) fn of(forwards_signals: bool, invocation: &Invocation) -> Self {
        match (&invocation.program, invocation.pty.is_some(), &invocation.stdin) {
            // sshd forwards no signals to a subsystem, for any user.
            (Program::Subsystem(_), ..) => Self::StdinEof,
            _ if forwards_signals => Self::Request,
            (_, true, _) => Self::Keystroke,
            (_, false, StdinSource::Empty) => Self::GuardProcess,
            (_, false, _) => Self::SideChannel,
        }
    }

    /// Returns a script to run a program with a guard process, or `None` for other strategies.
    ///
    /// The script of the guard process explains each step. Without a process group and without
    /// `setsid`, only the direct child can be signalled. The channel then stays open, and fabrs
    /// reports the command as possibly still running.
    pub(crate) fn script(self, program: &Program) -> Option<String> {
        let run = shell_code(program)?;
        (self == Self::GuardProcess).then(|| format!("run() {{ {run}\n}}\n{}", without_comments(GUARD_SCRIPT)))
    }

    /// Returns the first bytes of the stdin. Any reader other than the guard process fails on these
    /// bytes.
    pub(crate) fn stdin_preamble(self) -> Option<Bytes> {
        (self == Self::GuardProcess).then(|| Bytes::from_static(STDIN_PREAMBLE.as_bytes()))
    }

    /// Returns the bytes to write to stdin for a signal. `None` if the strategy does not use the
    /// stdin, or ends it. Empty bytes for a signal that cannot be delivered.
    pub(crate) fn stdin_bytes(self, signal: &Signal) -> Option<Bytes> {
        // Programs that forward signals, such as sudo, cannot forward KILL and receive HUP instead.
        let kills = matches!(signal.name(), "KILL" | "HUP");
        match (self, signal.name()) {
            (Self::Request | Self::SideChannel | Self::StdinEof, _) => None,
            (Self::GuardProcess, name) if signal.is_plain() => Some(Bytes::from(format!("{name}\n"))),
            (Self::Keystroke, "QUIT") => Some(Bytes::from_static(QUIT_KEY)),
            (Self::Keystroke, _) if kills => Some(Bytes::from_static(QUIT_KEY)),
            (Self::Keystroke, "INT" | "TERM") => Some(Bytes::from_static(INTERRUPT_KEY)),
            // Other signals, such as USR1, must not end the command. They cannot be delivered.
            (Self::GuardProcess | Self::Keystroke, _) => Some(Bytes::new()),
        }
    }
}

/// Removes comments and indentation from a script, because the script is sent with each command.
fn without_comments(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns shell code to run a program, or `None` for a subsystem.
///
/// A command line runs under the login shell. The server sets `SHELL` to its path.
pub(crate) fn shell_code(program: &Program) -> Option<String> {
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

    const FORWARDS_SIGNALS: bool = true;
    const IGNORES_SIGNALS: bool = false;

    #[track_caller]
    fn case(forwards_signals: bool, change: impl FnOnce(&mut Invocation), expected: SignalStrategy) {
        let (program, stdin) = (Program::Line("ls".into()), StdinSource::Empty);
        let last_signal = Signal::new("KILL");
        let mut invocation =
            Invocation { program, shown: "ls".into(), plan: None, pty: None, stdin, has_secret: false, last_signal };
        change(&mut invocation);
        assert_eq!(SignalStrategy::of(forwards_signals, &invocation), expected);
    }

    #[test]
    fn the_strategy_depends_on_the_server_and_the_command() {
        case(FORWARDS_SIGNALS, |_| {}, SignalStrategy::Request);
        case(FORWARDS_SIGNALS, |invocation| invocation.pty = Some(Pty::default()), SignalStrategy::Request);
        case(IGNORES_SIGNALS, |_| {}, SignalStrategy::GuardProcess);
        case(IGNORES_SIGNALS, |invocation| invocation.pty = Some(Pty::default()), SignalStrategy::Keystroke);
        case(
            IGNORES_SIGNALS,
            |invocation| invocation.stdin = StdinSource::Bytes(Bytes::new()),
            SignalStrategy::SideChannel,
        );
        case(FORWARDS_SIGNALS, |invocation| invocation.program = Program::Subsystem("sftp"), SignalStrategy::StdinEof);
    }
}
