//! How a run, or one command of it, is told to end.

use tokio::sync::watch;

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
}

impl Default for RunStop {
    fn default() -> Self {
        Self { sender: watch::Sender::new(Level::Run) }
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
}
