//! How many channels a connection may have open: sshd's `MaxSessions`, which a client can only find out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What OpenSSH allows when nothing else is configured.
const MAX_SESSIONS: usize = 10;

/// Counts the open channels of one connection, against a limit that falls when the server refuses one.
#[derive(Debug)]
pub(super) struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    open: usize,
    limit: usize,
}

/// A place for one channel, from before it is opened until its CLOSE has arrived.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    pub(super) fn new() -> Arc<Self> {
        let state = Mutex::new(State { open: 0, limit: MAX_SESSIONS });
        Arc::new(Self { state, freed: Notify::new() })
    }

    /// Waits for a place. Cancel safe.
    pub(super) async fn take(self: &Arc<Self>) -> Slot {
        loop {
            let freed = self.freed.notified();
            if let Some(slot) = self.try_take() {
                return slot;
            }
            freed.await;
        }
    }

    /// Returns a place, if there is one now.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Slot> {
        let mut state = self.state();
        (state.open < state.limit).then(|| {
            state.open += 1;
            Slot(Arc::clone(self))
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Gives the place back because the server refused its channel, and learns from it: no more at once than are open
    /// now. Tells whether it is worth another try, when one of those has ended.
    pub(super) fn refused(self) -> bool {
        let mut state = self.0.state();
        let others = state.open.saturating_sub(1);
        if others > 0 {
            state.limit = state.limit.min(others);
        }
        // The guard must be gone before `self`, whose drop takes the lock again.
        drop(state);
        others > 0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.state().open -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn after_a_refusal_no_more_are_opened_than_the_server_took() {
        let slots = Slots::new();
        let first = slots.take().await;
        let second = slots.take().await;
        assert!(second.refused(), "one is open, so it is worth waiting for its end");
        assert!(slots.take().now_or_never().is_none());
        drop(first);
        let again = slots.take().now_or_never().expect("the place is free");
        assert!(!again.refused(), "nothing is open that could end");
    }
}
