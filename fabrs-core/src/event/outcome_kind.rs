//! [`OutcomeKind`]: the outcome of a task on a host, as a word.

use serde::Serialize;

/// The outcome of a task on a host, as a word. Summaries, JSON lines and the docs use the same
/// words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutcomeKind {
    /// Success.
    Ok,
    /// Failure with a known reason.
    Failed,
    /// The connection was lost. The task may have been completed.
    Lost,
    /// The host could not be reached, or rejected the login.
    Unreachable,
    /// The host was skipped on purpose.
    Skipped,
    /// The run ended before the task started on this host.
    NotStarted,
    /// The run was stopped while the task ran on this host.
    Cancelled,
    /// The plan of a dry run ends early: the task needs the result of a command that did not run.
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

    /// Returns the text form: `not started`.
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
