//! Stop signals: requests to stop a run or one command.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The urgency of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// No stop.
    None,
    /// Stop running commands: TERM, then KILL.
    Stop,
    /// Kill running commands at once.
    Kill,
}

/// A stop signal of a run or a command. Clones share their state.
#[derive(Debug, Clone)]
pub struct StopSignal {
    sender: watch::Sender<StopLevel>,
    /// Cancelled by the first stop.
    cancelled: CancellationToken,
    /// Work that delays the end of a stopped run.
    guards: TaskTracker,
    filter: StopFilter,
}

/// The levels that a stop signal reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopFilter {
    /// All levels.
    All,
    /// [`StopLevel::Kill`] only.
    KillOnly,
}

/// Delays the end of a stopped run until dropped. Created by [`StopSignal::guard`].
#[derive(Debug)]
#[must_use = "dropping it allows the stopped run to end"]
pub struct StopGuard {
    _token: TaskTrackerToken,
}

impl Default for StopSignal {
    fn default() -> Self {
        let guards = TaskTracker::new();
        // A closed tracker completes `wait` whenever no guard is alive.
        guards.close();
        Self {
            sender: watch::Sender::new(StopLevel::None),
            cancelled: CancellationToken::new(),
            guards,
            filter: StopFilter::All,
        }
    }
}

impl StopSignal {
    /// Raises the level. A lower level than the current one has no effect.
    pub fn raise(&self, level: StopLevel) {
        self.sender.send_if_modified(|now| {
            let higher = level > *now;
            *now = level.max(*now);
            higher
        });
        if level > StopLevel::None {
            self.cancelled.cancel();
        }
    }

    /// Returns a token cancelled by the first stop, for local programs.
    pub(crate) fn token(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// Returns the current level.
    pub fn level(&self) -> StopLevel {
        self.effective(*self.sender.borrow())
    }

    /// Returns a level as reported by this signal.
    fn effective(&self, level: StopLevel) -> StopLevel {
        match (self.filter, level) {
            (StopFilter::KillOnly, StopLevel::Stop) => StopLevel::None,
            (StopFilter::All | StopFilter::KillOnly, level) => level,
        }
    }

    /// Returns a signal that reports [`StopLevel::Kill`] only, for work that must complete in a
    /// stopped run.
    pub fn kill_only(&self) -> Self {
        Self { filter: StopFilter::KillOnly, ..self.clone() }
    }

    /// Waits until the level is above `level`, and returns the new level.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no signal.
    pub async fn wait_above(&self, level: StopLevel) -> StopLevel {
        let mut receiver = self.sender.subscribe();
        let raised = receiver.wait_for(|now| self.effective(*now) > level).await.map(|now| *now);
        match raised {
            Ok(now) => now,
            // The sender is a field of `self`, so the channel can't be closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Delays the end of a stopped run while the guard lives, for work that must complete. Commands
    /// on hosts are stopped anyway, except those of
    /// [`Client::uncancellable`](crate::Client::uncancellable).
    pub fn guard(&self) -> StopGuard {
        StopGuard { _token: self.guards.token() }
    }

    /// Returns true if a guard is alive.
    pub(crate) fn is_guarded(&self) -> bool {
        !self.guards.is_empty()
    }

    /// Waits until no guard is alive, or until [`StopLevel::Kill`].
    pub(crate) async fn guards_released(&self) {
        tokio::select! {
            () = self.guards.wait() => {}
            _ = self.wait_above(StopLevel::Stop) => {}
        }
    }
}
