//! How a run, or one command of it, is told to end.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
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
    /// Cancelled by the first stop.
    stopped: CancellationToken,
    /// What can't be ended and is waited for.
    holds: TaskTracker,
    patience: Patience,
}

/// Whether a stop is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It is.
    None,
    /// Only that everything is to be killed.
    UntilKilled,
}

/// Keeps a run that is stopped from giving up, as long as it lives: [`RunStop::hold`].
#[derive(Debug)]
#[must_use = "dropping it lets go"]
pub struct Hold {
    _token: TaskTrackerToken,
}

impl Default for RunStop {
    fn default() -> Self {
        let holds = TaskTracker::new();
        // So that waiting for it ends whenever it is empty.
        holds.close();
        Self {
            sender: watch::Sender::new(Level::Run),
            stopped: CancellationToken::new(),
            holds,
            patience: Patience::None,
        }
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
        if level > Level::Run {
            self.stopped.cancel();
        }
    }

    /// Returns a token that the first stop cancels: for programs of this machine.
    pub(crate) fn token(&self) -> CancellationToken {
        self.stopped.clone()
    }

    /// Returns the level.
    pub fn level(&self) -> Level {
        self.heard(*self.sender.borrow())
    }

    /// Returns how a level is taken here.
    fn heard(&self, level: Level) -> Level {
        match (self.patience, level) {
            (Patience::UntilKilled, Level::Stop) => Level::Run,
            (Patience::None | Patience::UntilKilled, level) => level,
        }
    }

    /// Returns the same, for work that is to be done also when the run is stopped: it hears only that everything is to be
    /// killed.
    pub fn until_killed(&self) -> Self {
        Self { patience: Patience::UntilKilled, ..self.clone() }
    }

    /// Waits until the level is above `level`, and returns it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn above(&self, level: Level) -> Level {
        let mut receiver = self.sender.subscribe();
        let raised = receiver.wait_for(|now| self.heard(*now) > level).await.map(|now| *now);
        match raised {
            Ok(now) => now,
            // The sender is `self`, so it can't be gone.
            Err(_) => std::future::pending().await,
        }
    }

    /// Keeps a run that is stopped from giving up on what must come to its own end, as long as the token lives. What it runs
    /// on hosts ends all the same, unless that goes by [`Client::aside`](crate::Client::aside).
    pub fn hold(&self) -> Hold {
        Hold { _token: self.holds.token() }
    }

    /// Returns true if something is held.
    pub(crate) fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Waits until nothing is held any more, or until everything is to be killed.
    pub(crate) async fn let_go(&self) {
        tokio::select! {
            () = self.holds.wait() => {}
            _ = self.above(Level::Stop) => {}
        }
    }
}
