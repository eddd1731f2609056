//! [`DialogError`]: the reason for a failed dialogue with a script.

use super::limits::Excess;
use crate::error::Error;

/// The script has ended, or has sent an unexpected answer. The result of the script contains the
/// cause.
#[derive(Debug)]
pub(crate) struct ScriptEnded;

/// The reason for a failed dialogue with a script.
#[derive(Debug)]
pub(crate) enum DialogError {
    /// The script has ended, or has sent an unexpected answer. The exit status and stderr contain
    /// the cause.
    ScriptEnded,
    /// An existing file on the host prevents the transfer. The host is unchanged.
    Obstacle(String),
    /// The host sent more than a limit allows.
    Excess(Excess),
    /// An error on this machine.
    Failed(Error),
}

impl From<ScriptEnded> for DialogError {
    fn from(ScriptEnded: ScriptEnded) -> Self {
        Self::ScriptEnded
    }
}

impl From<Excess> for DialogError {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

impl From<Error> for DialogError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
