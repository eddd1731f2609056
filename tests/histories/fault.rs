//! Faults that a history injects into its runs.

use std::time::Duration;

use crate::rng::Rng;

/// A fault of one run, with its time after the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The process receives SIGSTOP, and SIGCONT after a pause.
    Stopped {
        at: Duration,
        pause: Duration,
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
        pause: Duration,
    },
}

impl Fault {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let at = rng.between(200, 5000);
        // The lease is one second. Pauses shorter and longer than the lease are both tested.
        let pause = rng.between(500, 3000);
        match rng.below(5) {
            0 => Self::None,
            1 => Self::Stopped { at, pause },
            2 => Self::Killed { at },
            3 => Self::Cut { at },
            _ => Self::Blocked { pause },
        }
    }

    /// Returns the blocking time of all threads in the step of a run.
    pub(crate) fn blocks(self) -> Duration {
        match self {
            Self::Blocked { pause } => pause,
            _ => Duration::ZERO,
        }
    }
}
