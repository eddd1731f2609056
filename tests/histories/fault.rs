//! What happens to a run.

use std::time::Duration;

use crate::chance::Chance;

/// What happens to one run of a history, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// SIGSTOP at a moment, and SIGCONT later.
    Stopped {
        at: Duration,
        long: Duration,
    },
    /// SIGKILL.
    Killed {
        at: Duration,
    },
    /// All its connections are cut.
    Cut {
        at: Duration,
    },
    /// All its threads are blocked by a step.
    Blocked {
        long: Duration,
    },
}

impl Fault {
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let at = chance.between(200, 5000);
        // Around the second after which a host frees the lock.
        let long = chance.between(500, 3000);
        match chance.below(5) {
            0 => Self::None,
            1 => Self::Stopped { at, long },
            2 => Self::Killed { at },
            3 => Self::Cut { at },
            _ => Self::Blocked { long },
        }
    }

    /// Returns how long its step blocks all threads.
    pub(crate) fn blocks(self) -> Duration {
        match self {
            Self::Blocked { long } => long,
            _ => Duration::ZERO,
        }
    }
}
