//! The outcome of a task on a host, as one word.

use serde::Serialize;

/// What came of a task on a host, as one word: the same in the summary, the JSON lines and the docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Done.
    Ok,
    /// It failed, and how is known.
    Failed,
    /// The connection was lost: it may or may not have happened.
    Lost,
    /// The host could not be reached, or refused the login.
    Unreachable,
    /// It was left out on purpose.
    Skipped,
    /// The run ended before this host's turn. Nothing was started there.
    NotStarted,
    /// The run was stopped while it was on its way.
    Cancelled,
    /// A dry run planned it up to the line that needs the result of a command that was not run.
    Incomplete,
}

impl OutcomeKind {
    /// All outcomes, in the order of a summary.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failed,
        Self::Lost,
        Self::Unreachable,
        Self::Cancelled,
        Self::Skipped,
        Self::NotStarted,
        Self::Incomplete,
    ];

    /// Returns the word as it is written for people: `not started`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Unreachable => "unreachable",
            Self::Skipped => "skipped",
            Self::NotStarted => "not started",
            Self::Cancelled => "cancelled",
            Self::Incomplete => "incomplete",
        }
    }
}
