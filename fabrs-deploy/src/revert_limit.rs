//! [`RevertLimit`]: the time from the loss of a run to the revert of a host by itself.

use std::fmt;
use std::time::Duration;

use crate::whole_seconds::whole_seconds;

/// The time from the loss of a run to the revert of a host by itself. A host counts whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RevertLimit {
    seconds: u64,
}

impl RevertLimit {
    /// Creates a limit. Fractions of a second are rounded up, and the minimum is 1 s.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { seconds: (limit.as_secs() + u64::from(limit.subsec_nanos() > 0)).max(1) }
    }

    /// Returns the limit in seconds.
    pub(crate) fn seconds(self) -> u64 {
        self.seconds
    }
}

/// Shows `5m`.
impl fmt::Display for RevertLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&whole_seconds(Duration::from_secs(self.seconds)), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_whole_seconds() {
        for (limit, shown) in
            [(Duration::ZERO, "1s"), (Duration::from_millis(1500), "2s"), (Duration::from_mins(5), "5m")]
        {
            assert_eq!(RevertLimit::new(limit).to_string(), shown);
        }
    }
}
