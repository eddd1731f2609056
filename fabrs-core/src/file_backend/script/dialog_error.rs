//! [`DialogError`]: why a dialogue with a script failed.

use super::limits::Excess;
use crate::error::Error;

/// The script has ended, or has sent an unexpected answer. The end of the script has the cause.
#[derive(Debug)]
pub(crate) struct ScriptEnded;

/// The reason why a dialogue with a script failed.
#[derive(Debug)]
pub(crate) enum DialogError {
    /// The script has ended. The exit status and stderr have the cause.
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
