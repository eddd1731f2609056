//! The budget of file descriptors for links: the least recently used idle link is closed when the budget is used up.
//!
//! A link reserves its descriptors before it connects. Links through a gateway have no descriptor of their own and reserve
//! nothing.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use futures::future::BoxFuture;

use crate::mutex::lock;
use crate::open_files;

/// The descriptors for everything but hosts. `fab` has 18 while tasks run: standard streams and their redirection, the
/// runtime, signals. The others are for files that are read once for all hosts, and for starting a program.
const PROCESS_DESCRIPTORS: usize = 24;
/// The descriptors for one host that is worked on: two for its link, and two for a transfer or a local command. Links of
/// such hosts take half of the budget, so that the other half holds idle links, which can be closed.
const DESCRIPTORS_PER_HOST: usize = 4;

/// Returns the maximum number of hosts at a time that the open file limit allows.
pub(crate) fn max_hosts_at_once() -> NonZeroUsize {
    NonZeroUsize::new(budget(open_files::limit()) / DESCRIPTORS_PER_HOST).unwrap_or(NonZeroUsize::MIN)
}

fn budget(limit: Option<usize>) -> usize {
    limit.unwrap_or(usize::MAX).saturating_sub(PROCESS_DESCRIPTORS)
}

/// A link that can be closed while nobody uses it.
pub(super) trait CloseIdle: Send + Sync {
    /// Closes the link and returns true, or returns false at once if the link is in use.
    fn close_if_idle(&self) -> BoxFuture<'_, bool>;
}

/// The descriptors of all links of a client.
#[derive(Debug)]
pub(super) struct Descriptors {
    budget: usize,
    state: Mutex<State>,
    /// Held by the caller that closes idle links.
    closing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    reserved: usize,
    /// Counts uses of links: a later use has a higher number.
    uses: u64,
    holders: Vec<LinkEntry>,
}

/// A link with a reservation.
struct LinkEntry {
    id: u64,
    last_use: u64,
    link: Weak<dyn CloseIdle>,
}

impl Descriptors {
    /// Creates the budget of this process.
    pub(super) fn of_process() -> Arc<Self> {
        Self::new(budget(open_files::limit()))
    }

    fn new(budget: usize) -> Arc<Self> {
        Arc::new(Self { budget, state: Mutex::default(), closing: tokio::sync::Mutex::default() })
    }

    /// Reserves `count` descriptors for a link. If the budget is used up, idle links are closed first.
    ///
    /// Never waits for a link that is in use, since its user may wait for this link. The budget is exceeded instead.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, nothing is reserved. A link that is being closed is then closed without a goodbye.
    pub(super) async fn reserve(self: &Arc<Self>, count: usize, link: Weak<dyn CloseIdle>) -> Reservation {
        if let Some(reservation) = self.try_reserve(count, self.budget, &link) {
            return reservation;
        }
        // One at a time: a link that another caller is closing counts as in use.
        let _turn = self.closing.lock().await;
        let mut budget = self.budget;
        loop {
            if let Some(reservation) = self.try_reserve(count, budget, &link) {
                return reservation;
            }
            if !self.close_one().await {
                budget = usize::MAX;
            }
        }
    }

    fn try_reserve(self: &Arc<Self>, count: usize, budget: usize, link: &Weak<dyn CloseIdle>) -> Option<Reservation> {
        let mut state = self.state();
        let reserved = state.reserved.saturating_add(count);
        (reserved <= budget).then(|| {
            state.reserved = reserved;
            let id = state.next_use();
            state.holders.push(LinkEntry { id, last_use: id, link: Weak::clone(link) });
            Reservation { descriptors: Arc::clone(self), id, count }
        })
    }

    /// Closes the least recently used idle link. Returns false if all links are in use.
    async fn close_one(&self) -> bool {
        let mut holders: Vec<_> =
            self.state().holders.iter().map(|holder| (holder.last_use, Weak::clone(&holder.link))).collect();
        holders.sort_unstable_by_key(|(last_use, _)| *last_use);
        for (_, link) in holders {
            if let Some(link) = link.upgrade()
                && link.close_if_idle().await
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

/// The descriptors of one link. Dropped, they are free again.
#[derive(Debug)]
pub(super) struct Reservation {
    descriptors: Arc<Descriptors>,
    id: u64,
    count: usize,
}

impl Reservation {
    /// Notes a use of the link.
    pub(super) fn note_use(&self) {
        let mut state = self.descriptors.state();
        let last_use = state.next_use();
        if let Some(holder) = state.holders.iter_mut().find(|holder| holder.id == self.id) {
            holder.last_use = last_use;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.descriptors.state();
        state.reserved -= self.count;
        state.holders.retain(|holder| holder.id != self.id);
    }
}

impl fmt::Debug for LinkEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkEntry").field("id", &self.id).field("last_use", &self.last_use).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures::FutureExt;

    use super::*;

    /// A link that is idle or in use, with its reservation while it is open.
    #[derive(Default)]
    struct FakeLink {
        is_used: AtomicBool,
        reservation: Mutex<Option<Reservation>>,
    }

    impl FakeLink {
        async fn open(descriptors: &Arc<Descriptors>, count: usize) -> Arc<Self> {
            let link = Arc::new(Self::default());
            let weak: Weak<Self> = Arc::downgrade(&link);
            let reservation = descriptors.reserve(count, weak).await;
            *link.reservation.lock().unwrap() = Some(reservation);
            link
        }

        fn is_open(&self) -> bool {
            self.reservation.lock().unwrap().is_some()
        }
    }

    impl CloseIdle for FakeLink {
        fn close_if_idle(&self) -> BoxFuture<'_, bool> {
            let is_idle = !self.is_used.load(Ordering::Relaxed);
            if is_idle {
                self.reservation.lock().unwrap().take();
            }
            async move { is_idle }.boxed()
        }
    }

    #[tokio::test]
    async fn nothing_is_closed_within_the_budget() {
        let descriptors = Descriptors::new(4);
        let links = [FakeLink::open(&descriptors, 2).await, FakeLink::open(&descriptors, 2).await];
        assert!(links.iter().all(|link| link.is_open()));
    }

    #[tokio::test]
    async fn the_least_recently_used_idle_link_is_closed() {
        let descriptors = Descriptors::new(6);
        let [first, second, third] = [(); 3].map(|()| FakeLink::open(&descriptors, 2).now_or_never().unwrap());
        first.reservation.lock().unwrap().as_ref().unwrap().note_use();
        second.is_used.store(true, Ordering::Relaxed);
        let fourth = FakeLink::open(&descriptors, 2).await;
        assert_eq!([&first, &second, &third, &fourth].map(|link| link.is_open()), [true, true, false, true]);
    }

    #[tokio::test]
    async fn several_links_are_closed_for_one_that_needs_more() {
        let descriptors = Descriptors::new(6);
        let old = [FakeLink::open(&descriptors, 2).await, FakeLink::open(&descriptors, 2).await];
        let _new = FakeLink::open(&descriptors, 5).await;
        assert!(!old.iter().any(|link| link.is_open()));
        assert_eq!(descriptors.state().reserved, 5);
    }

    #[tokio::test]
    async fn the_budget_is_exceeded_while_all_links_are_in_use() {
        let descriptors = Descriptors::new(2);
        let first = FakeLink::open(&descriptors, 2).await;
        first.is_used.store(true, Ordering::Relaxed);
        let second = FakeLink::open(&descriptors, 2).await;
        assert!(first.is_open() && second.is_open());
        first.is_used.store(false, Ordering::Relaxed);
        let third = FakeLink::open(&descriptors, 2).await;
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
