//! How much of what commands are given waits in a session for its network.
//!
//! russh takes all that is there before it writes, as much as the windows of all channels together allow. What is handed to
//! it waits here instead, so that one session's input takes a megabyte and not many. What goes through a gateway or a proxy
//! command counts as written when those have it: there the windows are the bound.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::transport::ssh::channel_slots::MAX_SESSIONS;

/// How much is handed to the session at a time: a packet, so that one whose window is closed holds up no others.
pub(super) const PACKET: usize = 32 << 10;

/// From here on nothing more is handed over until something has been written. What waits for the windows of all channels, a
/// packet each, is less, and holds up nobody.
const ENOUGH: usize = 1 << 20;
const _: () = assert!(MAX_SESSIONS * PACKET < ENOUGH, "channels that wait for window would hold up all others");

/// Counts what was handed to a session since it wrote last.
#[derive(Debug, Default)]
pub(super) struct Outflow {
    waiting: AtomicUsize,
    written: Notify,
}

impl Outflow {
    /// Waits until there is not too much on its way, and counts so many bytes more. Cancel safe.
    pub(super) async fn admit(&self, length: usize) {
        loop {
            let mut written = pin!(self.written.notified());
            written.as_mut().enable();
            if self.waiting.load(Ordering::Relaxed) < ENOUGH {
                self.waiting.fetch_add(length, Ordering::Relaxed);
                return;
            }
            written.await;
        }
    }

    /// Notes that the session writes what it has, which it does when it has taken all.
    pub(super) fn note_written(&self) {
        if self.waiting.swap(0, Ordering::Relaxed) >= ENOUGH {
            self.written.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_has_more_waits_until_the_session_writes() {
        let outflow = Outflow::default();
        outflow.admit(ENOUGH - 1).await;
        outflow.admit(ENOUGH).await;
        let mut more = pin!(outflow.admit(1));
        assert_eq!(more.as_mut().now_or_never(), None);
        outflow.note_written();
        assert_eq!(more.now_or_never(), Some(()));
    }
}
