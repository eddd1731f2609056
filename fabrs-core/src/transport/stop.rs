//! How a run, or one command of it, is told to end.

use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How urgently something is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    Run,
    /// End what is running: TERM first, KILL where that does not help.
    Stop,
    /// KILL at once.
    Kill,
}

/// Tells everything in a run when it is to end; cheap to clone.
#[derive(Debug, Clone)]
pub struct RunStop {
    sender: watch::Sender<Level>,
    /// What can't be ended and is waited for.
    holds: TaskTracker,
}

impl Default for RunStop {
    fn default() -> Self {
        let holds = TaskTracker::new();
        // So that waiting for it ends whenever it is empty.
        holds.close();
        Self { sender: watch::Sender::new(Level::Run), holds }
    }
}

impl RunStop {
    /// Raises the level; it never falls.
    pub fn raise(&self, level: Level) {
        self.sender.send_if_modified(|now| {
            let higher = level > *now;
            *now = level.max(*now);
            higher
        });
    }

    /// Returns the level.
    pub fn level(&self) -> Level {
        *self.sender.borrow()
    }

    /// Waits until the level is above `level`, and returns it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn above(&self, level: Level) -> Level {
        let mut receiver = self.sender.subscribe();
        let raised = receiver.wait_for(|now| *now > level).await.map(|now| *now);
        match raised {
            Ok(now) => now,
            // The sender is `self`, so it can't be gone.
            Err(_) => std::future::pending().await,
        }
    }

    /// Keeps a run that is stopped from giving up on what can't be ended, as long as the token lives.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.holds.token()
    }

    /// Waits until nothing is held any more, or until everything is to be killed.
    pub(crate) async fn let_go(&self) {
        tokio::select! {
            () = self.holds.wait() => {}
            _ = self.above(Level::Stop) => {}
        }
    }
}
