//! The [`CommandChannel`] trait: messages of a running command, its stdin and its signals.

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::output::{ExitStatus, Signal};
use crate::transport::request::Answer;
use crate::transport::stdin_queue::QueueFull;

/// A message from a running command.
#[derive(Debug)]
pub(crate) enum ChannelMessage {
    /// A chunk of output.
    Data(Stream, Bytes),
    /// All output has arrived.
    Eof,
    /// The exit status. Output may still follow, because RFC 4254 §6.10 defines no order.
    Exit(ExitStatus),
    /// The server rejected the request to start the program.
    Rejected,
    /// The last message: the other side has closed the channel.
    Closed,
    /// The last message: the connection is lost.
    Lost(Error),
}

/// The channel of a started command.
pub(crate) trait CommandChannel: Send {
    /// Returns the next message. Writes stdin while waiting. Cancel safe.
    fn next(&mut self) -> impl Future<Output = ChannelMessage> + Send;
    /// Adds an answer to the stdin, written by [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// An error if the answer cannot be delivered. The caller must then stop the command.
    fn answer(&mut self, answer: Answer) -> Result<(), Error>;
    /// Sends a signal to the command's process group.
    fn signal(&mut self, signal: Signal) -> impl Future<Output = ()> + Send;
    /// Returns true if signals reach every process of the command.
    fn can_signal_all(&self) -> bool {
        true
    }
    /// Closes the channel without waiting for the other side.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Creates the error of a command that does not read its answers.
pub(crate) fn queue_full_error(source: QueueFull) -> Error {
    Error::new(ErrorKind::Channel, "stopped a command that does not read its answers").caused_by(source)
}

/// A cause: a secret was not sent, because the host key has changed.
#[derive(Debug, thiserror::Error)]
#[error("the host key differs from the one in known_hosts")]
pub(crate) struct SecretWithheld;

impl SecretWithheld {
    /// Returns true if this is the cause of an error.
    pub(crate) fn caused(error: &Error) -> bool {
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Self>)
    }
}

/// A cause: the server rejects programs of this kind for this user.
#[derive(Debug, thiserror::Error)]
#[error("the server rejected this kind of program for this user")]
pub(crate) struct ProgramRejected;

impl ProgramRejected {
    /// Returns true if this is the cause of an error.
    pub(crate) fn caused(error: &Error) -> bool {
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Self>)
    }
}
