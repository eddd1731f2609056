//! The reason that a command was not started on a channel.

/// The reason that a command was not started.
#[derive(Debug)]
pub(super) enum StartError {
    /// The server provides no pseudo-terminal.
    NoPty,
    /// The server closed the channel before the start.
    Closed,
    /// The connection is lost.
    Lost,
}

impl From<russh::Error> for StartError {
    fn from(_: russh::Error) -> Self {
        Self::Lost
    }
}
