//! How many channels a connection may have open: sshd's `MaxSessions`, which a client can only find out.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::mutex::lock;

/// What OpenSSH allows when nothing else is configured.
pub(super) const MAX_SESSIONS: usize = 10;
/// How soon a server that refused is asked again; twice as long each time.
const SOON: Duration = Duration::from_millis(5);
/// How often it is asked again for as many as it had at once before.
const PATIENCE: u32 = 6;

/// Counts the open channels of one connection, against a limit that falls when the server refuses one.
#[derive(Debug)]
pub(super) struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    limit: usize,
    /// How many of them are kept for what goes on beside commands.
    kept: usize,
    /// How many of the open ones the server has confirmed, and how many it ever had at once.
    confirmed: usize,
    most: usize,
    /// How many wait for a place.
    waiting: usize,
    /// Whether a place was ever given back.
    given_back: bool,
}

/// A place for one channel, from before it is opened until its CLOSE has arrived.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    confirmed: bool,
}

impl Slots {
    /// Makes them, of which so many are `kept` for what goes on beside commands, as long as there is one for a command.
    pub(super) fn new(kept: usize) -> Arc<Self> {
        let state = Mutex::new(State { limit: MAX_SESSIONS, kept, ..State::default() });
        Arc::new(Self { state, freed: Notify::new() })
    }

    /// Announces that a place is waited for.
    pub(super) fn wait(self: &Arc<Self>) -> Waiting {
        self.state().waiting += 1;
        Waiting(Arc::clone(self))
    }

    /// Returns a place, if there is one now and nobody waits for it.
    pub(super) fn try_take_unwanted(self: &Arc<Self>) -> Option<Slot> {
        let wanted = self.state().waiting > 0;
        if wanted { None } else { self.try_take() }
    }

    /// Returns a place, if there is one now.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Slot> {
        self.take_below(|state| state.limit.saturating_sub(state.kept).max(1))
    }

    /// Returns a place for what goes on beside commands, if there is one now.
    pub(super) fn try_take_kept(self: &Arc<Self>) -> Option<Slot> {
        self.take_below(|state| state.limit)
    }

    fn take_below(self: &Arc<Self>, limit: impl Fn(&State) -> usize) -> Option<Slot> {
        let mut state = self.state();
        (state.open < limit(&state)).then(|| {
            state.open += 1;
            Slot { slots: Arc::clone(self), confirmed: false }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// One who waits for a place.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Slots>);

impl Waiting {
    /// Waits for the place. Cancel safe.
    pub(super) async fn take(self) -> Slot {
        loop {
            let mut freed = pin!(self.0.freed.notified());
            // Before the try, or a place that is freed in between would wake nobody.
            freed.as_mut().enable();
            if let Some(slot) = self.0.try_take() {
                return slot;
            }
            freed.await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// What it means that the server refused a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may not have noticed yet that a channel of ours has ended: it is asked again after this.
    TooSoon(Duration),
    /// It takes no more than are open now: the end of one has to be waited for.
    Full,
    /// It takes none at all.
    Never,
}

impl Slot {
    /// Notes that the server has opened the channel.
    pub(super) fn confirm(&mut self) {
        self.confirmed = true;
        let mut state = self.slots.state();
        state.confirmed += 1;
        state.most = state.most.max(state.confirmed);
    }

    /// Judges a refusal, the first in a row being number 0, and learns from it how many the server takes at once.
    ///
    /// sshd gives a session back when it comes round to it after our CLOSE, so the next open may be refused although
    /// nothing is open any more; and the session of a command that was killed, when it has waited for it.
    pub(super) fn refused(&self, number: u32) -> Refusal {
        let mut state = self.slots.state();
        let others = state.open.saturating_sub(1);
        // As many as this it had before, so it will have them again.
        let patience = if others < state.most { PATIENCE } else { 1 };
        if state.given_back && number < patience {
            return Refusal::TooSoon(SOON * 2_u32.pow(number));
        }
        if others == 0 {
            return Refusal::Never;
        }
        state.limit = state.limit.min(others);
        Refusal::Full
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.open -= 1;
        state.confirmed -= usize::from(self.confirmed);
        state.given_back |= self.confirmed;
        drop(state);
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn after_a_refusal_no_more_are_opened_than_the_server_took() {
        let slots = Slots::new(0);
        let first = slots.wait().take().await;
        let second = slots.wait().take().await;
        assert_eq!(second.refused(0), Refusal::Full, "one is open, so it is worth waiting for its end");
        drop(second);
        assert!(slots.wait().take().now_or_never().is_none());
        drop(first);
        assert!(slots.wait().take().now_or_never().is_some(), "the place is free");
    }

    #[tokio::test]
    async fn a_place_that_is_kept_is_not_for_commands_unless_it_is_the_only_one() {
        let slots = Slots::new(1);
        let taken: Vec<_> = std::iter::from_fn(|| slots.try_take()).collect();
        assert_eq!(taken.len(), MAX_SESSIONS - 1);
        let aside = slots.try_take_kept();
        assert!(aside.is_some() && slots.try_take_kept().is_none());
        drop((taken, aside));
        slots.state().limit = 1;
        assert!(slots.try_take().is_some(), "a command comes first");
    }

    #[tokio::test]
    async fn a_server_that_never_took_one_is_not_asked_again() {
        assert_eq!(Slots::new(0).wait().take().await.refused(0), Refusal::Never);
    }

    #[tokio::test]
    async fn a_server_that_has_not_noticed_an_end_yet_is_asked_again_and_keeps_its_limit() {
        let slots = Slots::new(0);
        let mut slot = slots.wait().take().await;
        slot.confirm();
        drop(slot);
        let mut only = slots.wait().take().await;
        assert_eq!(only.refused(0), Refusal::TooSoon(SOON));
        assert_eq!(only.refused(PATIENCE), Refusal::Never);
        only.confirm();
        let second = slots.wait().take().await;
        assert_eq!(second.refused(0), Refusal::TooSoon(SOON));
        assert!(slots.wait().take().now_or_never().is_some(), "one refusal says nothing about the limit");
        assert_eq!(second.refused(1), Refusal::Full);
    }

    #[tokio::test]
    async fn a_server_that_took_as_many_before_is_asked_more_patiently() {
        let slots = Slots::new(0);
        let mut taken = [slots.wait().take().await, slots.wait().take().await];
        taken.iter_mut().for_each(Slot::confirm);
        let [_first, second] = taken;
        drop(second);
        let again = slots.wait().take().await;
        assert!(matches!(again.refused(PATIENCE - 1), Refusal::TooSoon(_)));
    }
}
