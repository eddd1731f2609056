//! Retry policy: how often and how long a command is tried again.

use std::time::Duration;

/// When a command is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// So many times after failures, with this pause before the first and twice the last one before each further.
    Times(u32, Duration),
    /// Until it succeeds, for at most so long.
    Until(Duration),
}
