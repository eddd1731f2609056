//! The budget of file descriptors for sessions. The least recently used idle session is closed when
//! the budget is used up.
//!
//! A session reserves its descriptors before it connects. Sessions through a gateway have no
//! descriptor and reserve none.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use futures::future::BoxFuture;

use crate::mutex::lock;
use crate::open_files;

/// The descriptors for everything except hosts. `fab` has 18 while tasks run: standard streams and
/// their redirection, the runtime and signals. The rest is for shared files, and for starting a
/// program.
const PROCESS_DESCRIPTORS: usize = 24;
/// The descriptors for one active host: two for its session, and two for a transfer or a local
/// command. Sessions of active hosts reserve at most half of the budget. Idle sessions can use the
/// other half, because they can be closed.
const DESCRIPTORS_PER_HOST: usize = 4;

/// Returns the maximum number of concurrent hosts under the open file limit.
pub(crate) fn max_hosts_at_once() -> NonZeroUsize {
    NonZeroUsize::new(budget(open_files::limit()) / DESCRIPTORS_PER_HOST).unwrap_or(NonZeroUsize::MIN)
}

fn budget(limit: Option<usize>) -> usize {
    limit.unwrap_or(usize::MAX).saturating_sub(PROCESS_DESCRIPTORS)
}

/// A session that can be closed while idle.
pub(super) trait CloseIdle: Send + Sync {
    /// Closes the session and returns true. Returns false at once if the session is in use.
    fn close_if_idle(&self) -> BoxFuture<'_, bool>;
}

/// The descriptors of all sessions of a client.
#[derive(Debug)]
pub(super) struct DescriptorBudget {
    budget: usize,
    state: Mutex<State>,
    /// Locked while idle sessions are being closed.
    closing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    reserved: usize,
    /// The number of uses so far. Each use is numbered, so the entries can be ordered by their last
    /// use.
    uses: u64,
    entries: Vec<SessionEntry>,
}

/// A session with a reservation.
struct SessionEntry {
    id: u64,
    last_use: u64,
    session: Weak<dyn CloseIdle>,
}

impl DescriptorBudget {
    /// Creates the budget of this process.
    pub(super) fn of_process() -> Arc<Self> {
        Self::new(budget(open_files::limit()))
    }

    fn new(budget: usize) -> Arc<Self> {
        Arc::new(Self { budget, state: Mutex::default(), closing: tokio::sync::Mutex::default() })
    }

    /// Reserves `count` descriptors for a session. Closes idle sessions first if the budget is used
    /// up.
    ///
    /// Never waits until a session in use becomes idle: the command that uses it may be waiting for
    /// the new session. The budget is exceeded instead.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future reserves no descriptors. A session being closed is then closed without a
    /// disconnect message.
    pub(super) async fn reserve(self: &Arc<Self>, count: usize, session: Weak<dyn CloseIdle>) -> Reservation {
        if let Some(reservation) = self.try_reserve(count, self.budget, &session) {
            return reservation;
        }
        // One caller at a time: a session being closed by another caller would count as in use.
        let _guard = self.closing.lock().await;
        let mut budget = self.budget;
        loop {
            if let Some(reservation) = self.try_reserve(count, budget, &session) {
                return reservation;
            }
            if !self.close_one().await {
                budget = usize::MAX;
            }
        }
    }

    fn try_reserve(
        self: &Arc<Self>,
        count: usize,
        budget: usize,
        session: &Weak<dyn CloseIdle>,
    ) -> Option<Reservation> {
        let mut state = self.state();
        let reserved = state.reserved.saturating_add(count);
        (reserved <= budget).then(|| {
            state.reserved = reserved;
            let id = state.next_use();
            state.entries.push(SessionEntry { id, last_use: id, session: Weak::clone(session) });
            Reservation { descriptors: Arc::clone(self), id, count }
        })
    }

    /// Closes the least recently used idle session. Returns false if all sessions are in use.
    async fn close_one(&self) -> bool {
        let mut entries: Vec<_> =
            self.state().entries.iter().map(|entry| (entry.last_use, Weak::clone(&entry.session))).collect();
        entries.sort_unstable_by_key(|(last_use, _)| *last_use);
        for (_, session) in entries {
            if let Some(session) = session.upgrade()
                && session.close_if_idle().await
            {
                return true;
            }
        }
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

/// The reserved descriptors of a session. Dropping it releases them.
#[derive(Debug)]
pub(super) struct Reservation {
    descriptors: Arc<DescriptorBudget>,
    id: u64,
    count: usize,
}

impl Reservation {
    /// Records a use of the session.
    pub(super) fn mark_used(&self) {
        let mut state = self.descriptors.state();
        let last_use = state.next_use();
        if let Some(entry) = state.entries.iter_mut().find(|entry| entry.id == self.id) {
            entry.last_use = last_use;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.descriptors.state();
        state.reserved -= self.count;
        state.entries.retain(|entry| entry.id != self.id);
    }
}

impl fmt::Debug for SessionEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEntry").field("id", &self.id).field("last_use", &self.last_use).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures::FutureExt;

    use super::*;

    /// A session, idle or in use, with its reservation while open.
    #[derive(Default)]
    struct FakeSession {
        is_used: AtomicBool,
        reservation: Mutex<Option<Reservation>>,
    }

    impl FakeSession {
        async fn open(descriptors: &Arc<DescriptorBudget>, count: usize) -> Arc<Self> {
            let session = Arc::new(Self::default());
            let weak: Weak<Self> = Arc::downgrade(&session);
            let reservation = descriptors.reserve(count, weak).await;
            *session.reservation.lock().unwrap() = Some(reservation);
            session
        }

        fn is_open(&self) -> bool {
            self.reservation.lock().unwrap().is_some()
        }
    }

    impl CloseIdle for FakeSession {
        fn close_if_idle(&self) -> BoxFuture<'_, bool> {
            let is_idle = !self.is_used.load(Ordering::Relaxed);
            if is_idle {
                self.reservation.lock().unwrap().take();
            }
            async move { is_idle }.boxed()
        }
    }

    #[tokio::test]
    async fn no_session_is_closed_within_the_budget() {
        let descriptors = DescriptorBudget::new(4);
        let sessions = [FakeSession::open(&descriptors, 2).await, FakeSession::open(&descriptors, 2).await];
        assert!(sessions.iter().all(|session| session.is_open()));
    }

    #[tokio::test]
    async fn the_least_recently_used_idle_session_is_closed() {
        let descriptors = DescriptorBudget::new(6);
        let [first, second, third] = [(); 3].map(|()| FakeSession::open(&descriptors, 2).now_or_never().unwrap());
        first.reservation.lock().unwrap().as_ref().unwrap().mark_used();
        second.is_used.store(true, Ordering::Relaxed);
        let fourth = FakeSession::open(&descriptors, 2).await;
        assert_eq!([&first, &second, &third, &fourth].map(|session| session.is_open()), [true, true, false, true]);
    }

    #[tokio::test]
    async fn several_sessions_are_closed_for_a_larger_one() {
        let descriptors = DescriptorBudget::new(6);
        let old = [FakeSession::open(&descriptors, 2).await, FakeSession::open(&descriptors, 2).await];
        let _new = FakeSession::open(&descriptors, 5).await;
        assert!(!old.iter().any(|session| session.is_open()));
        assert_eq!(descriptors.state().reserved, 5);
    }

    #[tokio::test]
    async fn the_budget_is_exceeded_while_all_sessions_are_in_use() {
        let descriptors = DescriptorBudget::new(2);
        let first = FakeSession::open(&descriptors, 2).await;
        first.is_used.store(true, Ordering::Relaxed);
        let second = FakeSession::open(&descriptors, 2).await;
        assert!(first.is_open() && second.is_open());
        first.is_used.store(false, Ordering::Relaxed);
        let third = FakeSession::open(&descriptors, 2).await;
        assert!(!first.is_open() && !second.is_open() && third.is_open());
        drop((second, third));
        assert_eq!(descriptors.state().reserved, 0);
    }

    #[test]
    fn a_small_limit_still_allows_one_host() {
        assert_eq!(budget(Some(10)), 0);
        assert_eq!(budget(Some(64)), 40);
        assert_eq!(budget(None), usize::MAX - PROCESS_DESCRIPTORS);
        assert!(max_hosts_at_once().get() >= 1);
    }
}
