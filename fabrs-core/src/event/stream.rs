//! [`Stream`]: stdout or stderr.

use serde::Serialize;

/// An output stream of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output. With a pty, it includes stderr.
    Stdout,
    /// Standard error.
    Stderr,
}
