//! Faults that a history injects into its runs.

use std::time::Duration;

use crate::chance::Chance;

/// A fault of one run, with its time after the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The process receives SIGSTOP, and SIGCONT after a pause.
    Stopped {
        at: Duration,
        long: Duration,
    },
    /// The process receives SIGKILL.
    Killed {
        at: Duration,
    },
    /// All connections of the run are cut.
    Cut {
        at: Duration,
    },
    /// A step blocks all threads of the process.
    Blocked {
        long: Duration,
    },
}

impl Fault {
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let at = chance.between(200, 5000);
        // The lease is one second. Pauses shorter and longer than the lease are both tested.
        let long = chance.between(500, 3000);
        match chance.below(5) {
            0 => Self::None,
            1 => Self::Stopped { at, long },
            2 => Self::Killed { at },
            3 => Self::Cut { at },
            _ => Self::Blocked { long },
        }
    }

    /// Returns how long the step of a run blocks all threads.
    pub(crate) fn blocks(self) -> Duration {
        match self {
            Self::Blocked { long } => long,
            _ => Duration::ZERO,
        }
    }
}
