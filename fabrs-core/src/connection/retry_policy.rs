//! [`RetryPolicy`]: the number of retries of a command, or the time limit for retries.

use std::time::Duration;

/// The condition for another attempt of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// A number of retries after failures, with the first pause. Each further pause is twice as
    /// long.
    Times(u32, Duration),
    /// Retries until the command succeeds, for at most this time.
    Until(Duration),
}
