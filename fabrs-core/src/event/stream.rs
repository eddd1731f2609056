//! [`Stream`]: stdout or stderr.

use serde::Serialize;

/// One of the two streams of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output; with a pty, everything.
    Stdout,
    /// Standard error.
    Stderr,
}
