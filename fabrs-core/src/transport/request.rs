//! The requests that a transport executes: one command for a host, its input and its output.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::event::Stream;
use crate::host::Host;
use crate::output::Signal;
use crate::transport::pty::Pty;
use crate::transport::running::Completion;
use crate::transport::signals::SignalQueue;
use crate::transport::termination::stop_signal::StopSignal;

/// The effect of a request on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The command only reads. A dry run executes the command.
    Reads,
    /// The command may change the host. A dry run prints the command instead.
    Changes,
}

/// The kind of program that runs on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// A command line for the user's login shell.
    Line(Arc<str>),
    /// A POSIX script for `/bin/sh`, with any login shell.
    Script(Arc<str>),
    /// A subsystem of the server, by its name (RFC 4254 §6.5): `sftp`.
    Subsystem(&'static str),
}

/// The standard input of a command.
#[derive(Default)]
#[non_exhaustive]
pub enum StdinSource {
    /// No input. The command reads the end of file at once, as with `ssh -n`.
    #[default]
    Empty,
    /// These bytes, then the end of file.
    Bytes(Bytes),
    /// These bytes, then the answers of the [`OutputReceiver`], which also ends the input.
    Answers(Bytes),
    /// The bytes received from this channel, then the end of file.
    Pieces(mpsc::Receiver<Bytes>),
}

impl StdinSource {
    /// Returns the bytes that are known before the command starts.
    pub(crate) fn known(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) | Self::Answers(bytes) => Some(bytes),
            Self::Empty | Self::Pieces(_) => None,
        }
    }
}

/// Shows the length but not the content, because input may contain passwords.
impl fmt::Debug for StdinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Answers(first) => write!(f, "Answers({})", first.len()),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

/// The texts of a command in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanTexts {
    /// The name of the command, or else its line without the context (directory, environment).
    pub short: Arc<str>,
    /// The line with its context.
    pub shell_line: Arc<str>,
}

/// The program to start, with its input and terminal.
#[derive(Debug)]
#[non_exhaustive]
pub struct Invocation {
    /// The program.
    pub program: Program,
    /// The command's name in messages, events and plans.
    pub shown: Arc<str>,
    /// The texts for a plan in phases, if the command is planned and not executed.
    pub plan: Option<PlanTexts>,
    /// The pseudo-terminal, if any. It merges stderr into stdout.
    pub pty: Option<Pty>,
    /// The standard input.
    pub stdin: StdinSource,
    /// True if the program or its input contains a secret. Such a command is not started on a host
    /// with a changed key.
    pub has_secret: bool,
    /// The signal to send if TERM did not end the command: `KILL`, or another signal if the command
    /// runs under a program that cannot forward `KILL`.
    pub last_signal: Signal,
}

/// One command for a host, with its time limit, signals and receiver of output.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// The host, for messages.
    pub host: Host,
    /// The program to start.
    pub invocation: Invocation,
    /// The effect of the command on the host.
    pub effect: Effect,
    /// True if this command is an internal check, such as the comparison before a transfer or a
    /// trial of sudo. A dry run neither marks a check as outdated nor counts it as a change.
    pub is_check: bool,
    /// The maximum time for the command to run. The time to connect does not count.
    pub timeout: Option<Duration>,
    /// True to open a channel for the next command in advance.
    pub prefetch_channel: bool,
    /// Delivers signals to the running command.
    pub signals: SignalQueue,
    /// Receives the command's output.
    pub receiver: Box<dyn OutputReceiver>,
    /// Reports that the whole run must stop.
    pub stop: StopSignal,
}

/// Receives the output of a command as it arrives, and may answer it.
///
/// The methods are called from the task that reads the channel, so they must not block. One
/// full channel would stall all other channels of the session, because russh has no
/// back-pressure per channel.
pub trait OutputReceiver: Send + fmt::Debug {
    /// Receives a chunk of output. Bytes added to `answer` are written to the command's stdin.
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer);

    /// Receives the result of the command. Called exactly once, even if the caller of the command
    /// was dropped.
    fn ended(&mut self, end: &Completion);
}

/// Bytes to write to a command's stdin.
#[derive(Default)]
pub struct Answer {
    pub(super) pieces: Vec<Bytes>,
    pub(crate) has_secret: bool,
    pub(super) stream: Option<mpsc::Receiver<Bytes>>,
    pub(super) is_end: bool,
    pub(super) is_stop: bool,
}

impl Answer {
    /// Writes `bytes` to the command.
    pub fn write(&mut self, bytes: impl Into<Bytes>) {
        self.pieces.push(bytes.into());
    }

    /// Writes a secret to the command. If the host key has changed, the command fails instead.
    pub fn write_secret(&mut self, bytes: impl Into<Bytes>) {
        self.has_secret = true;
        self.write(bytes);
    }

    /// Ends the command's input after the bytes already written.
    pub fn end(&mut self) {
        self.is_end = true;
    }

    /// Stops the command, as a drop of its [`RunningCommand`](crate::transport::RunningCommand)
    /// does. For commands whose further output is not needed.
    pub fn stop(&mut self) {
        self.is_stop = true;
    }

    /// Writes the bytes received from a channel, then ends the command's input.
    pub fn stream(&mut self, pieces: mpsc::Receiver<Bytes>) {
        self.stream = Some(pieces);
        self.is_end = true;
    }

    /// Returns the number of chunks, and true if the input ends.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> (usize, bool) {
        (self.pieces.len(), self.is_end)
    }

    /// Returns true if the answer neither writes nor ends the input.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && !self.is_end
    }
}

/// Shows the length but not the content.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("pieces", &self.pieces.len()).field("ends", &self.is_end).finish_non_exhaustive()
    }
}
