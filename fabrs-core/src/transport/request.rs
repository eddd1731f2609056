//! What a transport is asked to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::running::End;
use super::stop::RunStop;
use crate::event::Stream;
use crate::host::Host;

/// Whether a request changes anything on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It only looks, and is executed in a dry run too.
    Reads,
    /// It may change something; a dry run prints it instead.
    Changes,
}

/// What a command reads on its standard input.
#[derive(Clone, Default)]
pub enum Stdin {
    /// Nothing: it sees the end of file at once, as with `ssh -n`.
    #[default]
    Empty,
    /// These bytes, then the end of file.
    Bytes(Bytes),
}

/// Shows how much it is and not what: input is where passwords travel.
impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The line for the remote shell.
    pub command: Arc<str>,
    /// Whether it gets a pseudo-terminal, which merges stderr into stdout.
    pub pty: bool,
    /// What it reads.
    pub stdin: Stdin,
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
    /// How long it may run, counted from its start and not from the connecting.
    pub timeout: Option<Duration>,
    /// Whether the next command is expected soon, so that a channel may be opened ahead for it.
    pub ahead: bool,
    /// Who gets what it prints.
    pub receiver: Box<dyn Receive>,
    /// Tells when the whole run is to end.
    pub stop: RunStop,
}

/// Gets what a command prints, as it comes.
///
/// Called from the task that empties the channel, which must not wait: one full channel would stall every other of the
/// same connection (russh has no back-pressure per channel).
pub trait Receive: Send + fmt::Debug {
    /// Takes a piece of output.
    fn receive(&mut self, stream: Stream, bytes: &[u8]);

    /// Is told how the command ended; called exactly once, also when nobody awaits the command any more.
    fn ended(&mut self, end: &End);
}
