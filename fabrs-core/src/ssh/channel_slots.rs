//! Channel slots: the limit of open channels in a session (sshd's `MaxSessions`), found by trial.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::mutex::lock;

/// The default `MaxSessions` of OpenSSH.
pub(super) const DEFAULT_MAX_SESSIONS: usize = 10;
/// The delay before the first retry of a refused channel. Each further delay is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(5);
/// The maximum number of retries while fewer channels are open than at the peak.
const MAX_RETRIES: u32 = 6;

/// A counter of the open channels of a session. A refusal of the server lowers its limit.
#[derive(Debug)]
pub(super) struct ChannelSlots {
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    limit: usize,
    /// The number of slots reserved for side channels.
    reserved: usize,
    /// The number of open channels confirmed by the server, and the peak of that number.
    confirmed: usize,
    peak: usize,
    /// The number of callers waiting for a slot.
    waiting: usize,
    /// True after the first release of a confirmed channel.
    has_released: bool,
}

/// A slot for a channel, from the request to open until the CLOSE.
#[derive(Debug)]
pub(super) struct ChannelSlot {
    slots: Arc<ChannelSlots>,
    confirmed: bool,
}

impl ChannelSlots {
    /// Creates the slots. `reserved` slots are for side channels, but at least one is for commands.
    pub(super) fn new(reserved: usize) -> Arc<Self> {
        let state = Mutex::new(State { limit: DEFAULT_MAX_SESSIONS, reserved, ..State::default() });
        Arc::new(Self { state, released: Notify::new() })
    }

    /// Registers a caller waiting for a slot.
    pub(super) fn wait(self: &Arc<Self>) -> SlotWaiter {
        self.state().waiting += 1;
        SlotWaiter(Arc::clone(self))
    }

    /// Returns a free slot, or `None` if all are used or a caller waits for a slot.
    pub(super) fn try_take_unless_awaited(self: &Arc<Self>) -> Option<ChannelSlot> {
        let is_awaited = self.state().waiting > 0;
        if is_awaited { None } else { self.try_take() }
    }

    /// Returns a free slot for a command, or `None`.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<ChannelSlot> {
        self.take_below(|state| state.limit.saturating_sub(state.reserved).max(1))
    }

    /// Returns a free slot for a side channel, or `None`.
    pub(super) fn try_take_reserved(self: &Arc<Self>) -> Option<ChannelSlot> {
        self.take_below(|state| state.limit)
    }

    fn take_below(self: &Arc<Self>, limit: impl Fn(&State) -> usize) -> Option<ChannelSlot> {
        let mut state = self.state();
        (state.open < limit(&state)).then(|| {
            state.open += 1;
            ChannelSlot { slots: Arc::clone(self), confirmed: false }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A caller waiting for a slot.
#[derive(Debug)]
pub(super) struct SlotWaiter(Arc<ChannelSlots>);

impl SlotWaiter {
    /// Waits for a slot. Cancel safe.
    pub(super) async fn take(self) -> ChannelSlot {
        loop {
            let mut released = pin!(self.0.released.notified());
            // Enabled before the attempt: a slot released in between would otherwise wake no
            // waiter.
            released.as_mut().enable();
            if let Some(slot) = self.0.try_take() {
                return slot;
            }
            released.await;
        }
    }
}

impl Drop for SlotWaiter {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// The next step after a refused channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenRefusal {
    /// The server may not have noticed the end of another channel. Retry after this time.
    RetryAfter(Duration),
    /// The server allows no further channel. Wait for the end of an open one.
    Full,
    /// The server allows no channel at all.
    Never,
}

impl ChannelSlot {
    /// Records that the server has opened the channel.
    pub(super) fn confirm(&mut self) {
        self.confirmed = true;
        let mut state = self.slots.state();
        state.confirmed += 1;
        state.peak = state.peak.max(state.confirmed);
    }

    /// Interprets a refusal, and lowers the limit if necessary. `number` counts consecutive
    /// refusals from 0.
    ///
    /// sshd releases a session some time after our CLOSE, so the next open may be refused although
    /// no channel is open. The session of a killed command is released after sshd has waited for
    /// the process.
    pub(super) fn refused(&self, number: u32) -> OpenRefusal {
        let mut state = self.slots.state();
        let others = state.open.saturating_sub(1);
        // The server had more channels open before, so it will allow them again.
        let max_retries = if others < state.peak { MAX_RETRIES } else { 1 };
        if state.has_released && number < max_retries {
            return OpenRefusal::RetryAfter(FIRST_RETRY_DELAY * 2_u32.pow(number));
        }
        if others == 0 {
            return OpenRefusal::Never;
        }
        state.limit = state.limit.min(others);
        OpenRefusal::Full
    }
}

impl Drop for ChannelSlot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.open -= 1;
        state.confirmed -= usize::from(self.confirmed);
        state.has_released |= self.confirmed;
        drop(state);
        self.slots.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_refusal_lowers_the_limit_to_the_open_channels() {
        let slots = ChannelSlots::new(0);
        let first = slots.wait().take().await;
        let second = slots.wait().take().await;
        assert_eq!(second.refused(0), OpenRefusal::Full, "the end of the first channel frees a slot");
        drop(second);
        assert!(slots.wait().take().now_or_never().is_none());
        drop(first);
        assert!(slots.wait().take().now_or_never().is_some(), "the slot is free");
    }

    #[tokio::test]
    async fn a_command_gets_a_reserved_slot_only_if_it_is_the_only_slot() {
        let slots = ChannelSlots::new(1);
        let taken: Vec<_> = std::iter::from_fn(|| slots.try_take()).collect();
        assert_eq!(taken.len(), DEFAULT_MAX_SESSIONS - 1);
        let aside = slots.try_take_reserved();
        assert!(aside.is_some() && slots.try_take_reserved().is_none());
        drop((taken, aside));
        slots.state().limit = 1;
        assert!(slots.try_take().is_some(), "the only slot is for commands");
    }

    #[tokio::test]
    async fn a_refusal_of_the_first_channel_is_final() {
        assert_eq!(ChannelSlots::new(0).wait().take().await.refused(0), OpenRefusal::Never);
    }

    #[tokio::test]
    async fn an_early_refusal_is_retried_and_keeps_the_limit() {
        let slots = ChannelSlots::new(0);
        let mut slot = slots.wait().take().await;
        slot.confirm();
        drop(slot);
        let mut only = slots.wait().take().await;
        assert_eq!(only.refused(0), OpenRefusal::RetryAfter(FIRST_RETRY_DELAY));
        assert_eq!(only.refused(MAX_RETRIES), OpenRefusal::Never);
        only.confirm();
        let second = slots.wait().take().await;
        assert_eq!(second.refused(0), OpenRefusal::RetryAfter(FIRST_RETRY_DELAY));
        assert!(slots.wait().take().now_or_never().is_some(), "one refusal does not lower the limit");
        assert_eq!(second.refused(1), OpenRefusal::Full);
    }

    #[tokio::test]
    async fn a_refusal_below_the_peak_is_retried_more_often() {
        let slots = ChannelSlots::new(0);
        let mut taken = [slots.wait().take().await, slots.wait().take().await];
        taken.iter_mut().for_each(ChannelSlot::confirm);
        let [_first, second] = taken;
        drop(second);
        let again = slots.wait().take().await;
        assert!(matches!(again.refused(MAX_RETRIES - 1), OpenRefusal::RetryAfter(_)));
    }
}
