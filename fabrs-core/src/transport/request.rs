//! What a transport is asked to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::pty::Pty;
use super::running::End;
use super::signals::Signals;
use super::stop::RunStop;
use crate::event::Stream;
use crate::host::Host;
use crate::output::Signal;

/// Whether a request changes anything on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It only looks, and is executed in a dry run too.
    Reads,
    /// It may change something; a dry run prints it instead.
    Changes,
}

/// What runs on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A line in the language of the login shell, which runs it.
    Line(Arc<str>),
    /// A POSIX script, which `/bin/sh` runs, whichever shell the login has.
    Script(Arc<str>),
    /// A subsystem of the server, by its name (RFC 4254 §6.5): `sftp`.
    Subsystem(&'static str),
}

/// What a command reads on its standard input.
#[derive(Default)]
pub enum Stdin {
    /// Nothing: it sees the end of file at once, as with `ssh -n`.
    #[default]
    Empty,
    /// These bytes, then the end of file.
    Bytes(Bytes),
    /// These bytes, then what its [`Receive`] writes as an answer to what it prints; the end of file when that one says so.
    Answers(Bytes),
    /// What is sent here, then the end of file.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Stdin {
    /// Returns the bytes that are known before the command starts.
    pub(crate) fn known(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) | Self::Answers(bytes) => Some(bytes),
            Self::Empty | Self::Pieces(_) => None,
        }
    }
}

/// Shows how much it is and not what: input is where passwords travel.
impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Answers(first) => write!(f, "Answers({})", first.len()),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

/// What is to be started.
#[derive(Debug)]
pub struct Invocation {
    /// What runs.
    pub program: Program,
    /// What it is called in messages, events and plans.
    pub shown: Arc<str>,
    /// The pseudo-terminal that it gets, where it gets one, which merges stderr into stdout.
    pub pty: Option<Pty>,
    /// What it reads.
    pub stdin: Stdin,
    /// Whether the program or its input contains a secret. Such a command is not started on a host whose key has changed.
    pub has_secret: bool,
    /// The signal that ends it where TERM did not: `KILL`, or one that is passed on where that can't be.
    pub last_signal: Signal,
}

/// One command for one host: what is to be started, and what goes with it.
#[derive(Debug)]
pub struct Request {
    /// The host, for messages.
    pub host: Host,
    /// What is to be started.
    pub invocation: Invocation,
    /// Whether it changes anything.
    pub effect: Effect,
    /// Whether it is a check of fabrs itself: the comparison of a transfer, or a try of sudo. A dry run neither marks it as
    /// outdated nor counts it as a change.
    pub is_check: bool,
    /// How long it may run, counted from its start and not from the connecting.
    pub timeout: Option<Duration>,
    /// Whether the next command is expected soon, so that a channel may be opened ahead for it.
    pub ahead: bool,
    /// By which it is sent signals while it runs.
    pub signals: Signals,
    /// Who gets what it prints.
    pub receiver: Box<dyn Receive>,
    /// Tells when the whole run is to end.
    pub stop: RunStop,
}

/// Gets what a command prints, as it comes, and may answer.
///
/// Called from the task that empties the channel, which must not wait: one full channel would stall every other of the
/// same connection (russh has no back-pressure per channel).
pub trait Receive: Send + fmt::Debug {
    /// Takes a piece of output; what is put into `answer` is written to the command.
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer);

    /// Is told how the command ended; called exactly once, also when nobody awaits the command any more.
    fn ended(&mut self, end: &End);
}

/// What is to be written to a command that waits for an answer.
#[derive(Default)]
pub struct Answer {
    pub(super) pieces: Vec<Bytes>,
    pub(crate) has_secret: bool,
    pub(super) stream: Option<mpsc::Receiver<Bytes>>,
    pub(super) ends: bool,
    pub(super) stops: bool,
}

impl Answer {
    /// Writes `bytes` to the command.
    pub fn write(&mut self, bytes: impl Into<Bytes>) {
        self.pieces.push(bytes.into());
    }

    /// Writes a secret to the command. If the host key has changed, the command ends with an error instead.
    pub fn write_secret(&mut self, bytes: impl Into<Bytes>) {
        self.has_secret = true;
        self.write(bytes);
    }

    /// Ends the command's input, after what was written.
    pub fn end(&mut self) {
        self.ends = true;
    }

    /// Ends the command itself, as dropping it would: what else it would print is of no use.
    pub fn stop(&mut self) {
        self.stops = true;
    }

    /// Writes what is sent here, and then ends the command's input.
    pub fn stream(&mut self, pieces: mpsc::Receiver<Bytes>) {
        self.stream = Some(pieces);
        self.ends = true;
    }

    /// Returns how many pieces there are, and whether the input ends.
    #[cfg(test)]
    pub(crate) fn told(&self) -> (usize, bool) {
        (self.pieces.len(), self.ends)
    }

    /// Tells whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && !self.ends
    }
}

/// Shows how much it is and not what.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("pieces", &self.pieces.len()).field("ends", &self.ends).finish_non_exhaustive()
    }
}
