//! The channel of one command: what arrives on it, and the errors of a command that was not started.

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::output::{ExitStatus, Signal};
use crate::transport::request::Answer;
use crate::transport::stdin_queue::Unread;

/// What arrives from a command.
#[derive(Debug)]
pub(crate) enum Message {
    /// A piece of output.
    Data(Stream, Bytes),
    /// All output has come.
    Whole,
    /// How it ended. Output may still follow (RFC 4254 §6.10 orders nothing).
    Exit(ExitStatus),
    /// The server would not start it.
    Refused,
    /// Nothing will follow: the channel was closed by the other side.
    Closed,
    /// Nothing will follow: the connection is gone.
    Lost(Error),
}

/// One command's channel, opened and started.
pub(crate) trait Wire: Send {
    /// Returns what arrives next, and meanwhile feeds the command its input. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Message> + Send;
    /// Adds to the command's input, which [`next`](Self::next) feeds.
    ///
    /// # Errors
    ///
    /// If the command can't be given the answer, and has to end.
    fn answer(&mut self, answer: Answer) -> Result<(), Error>;
    /// Sends a signal to the command's process group.
    fn signal(&mut self, signal: Signal) -> impl Future<Output = ()> + Send;
    /// Tells whether a signal reaches every process of the command.
    fn reaches_all(&self) -> bool {
        true
    }
    /// Closes the channel; nothing is awaited.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Makes the error of a command that does not read its answers.
pub(crate) fn unread(source: Unread) -> Error {
    Error::new(ErrorKind::Channel, "a command that is answered by a watcher was ended").caused_by(source)
}

/// A secret was not sent: the host was reached, and its key is another one.
#[derive(Debug, thiserror::Error)]
#[error("the host key differs from the one in known_hosts")]
pub(crate) struct SecretWithheld;

impl SecretWithheld {
    /// Returns whether a secret was not sent.
    pub(crate) fn caused(error: &Error) -> bool {
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Self>)
    }
}

/// The server does not start such a program for this login.
#[derive(Debug, thiserror::Error)]
#[error("it starts no such program for this login")]
pub(crate) struct Refused;

impl Refused {
    /// Tells whether this is what an error is about.
    pub(crate) fn caused(error: &Error) -> bool {
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Self>)
    }
}
