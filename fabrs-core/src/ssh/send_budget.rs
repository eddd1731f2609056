//! A limit of the stdin bytes queued in one session.
//!
//! russh accepts all bytes within the windows of the channels before it writes to the network. This
//! limit keeps the queue of a session near one megabyte. Behind a gateway or a proxy command, bytes
//! count as written once the gateway or the command has them. In this case, only the windows limit
//! the queue.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::ssh::channel_slots::DEFAULT_MAX_SESSIONS;

/// The number of bytes handed to the session at a time. A single packet, so a channel with a
/// closed window delays no other channel.
pub(super) const PACKET_BYTES: usize = 32 << 10;

/// The number of unsent bytes at which writers wait. Even if a packet of every channel waits for
/// its window, the sum stays below this number. Channels that wait for window therefore block no
/// other writer.
const MAX_UNSENT_BYTES: usize = 1 << 20;
const _: () = assert!(
    DEFAULT_MAX_SESSIONS * PACKET_BYTES < MAX_UNSENT_BYTES,
    "channels that wait for window would hold up all others"
);

/// A counter of the bytes handed to a session since its last write.
#[derive(Debug, Default)]
pub(super) struct SendBudget {
    unsent_bytes: AtomicUsize,
    written: Notify,
}

impl SendBudget {
    /// Waits until the unsent bytes are below the limit, then adds `length`. Cancel safe.
    pub(super) async fn acquire(&self, length: usize) {
        loop {
            let mut written = pin!(self.written.notified());
            written.as_mut().enable();
            if self.unsent_bytes.load(Ordering::Relaxed) < MAX_UNSENT_BYTES {
                self.unsent_bytes.fetch_add(length, Ordering::Relaxed);
                return;
            }
            written.await;
        }
    }

    /// Records a write of the session to the network. russh writes after it has accepted all queued
    /// bytes.
    pub(super) fn mark_written(&self) {
        if self.unsent_bytes.swap(0, Ordering::Relaxed) >= MAX_UNSENT_BYTES {
            self.written.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_writer_over_the_budget_waits_for_the_next_write() {
        let budget = SendBudget::default();
        budget.acquire(MAX_UNSENT_BYTES - 1).await;
        budget.acquire(MAX_UNSENT_BYTES).await;
        let mut more = pin!(budget.acquire(1));
        assert_eq!(more.as_mut().now_or_never(), None);
        budget.mark_written();
        assert_eq!(more.now_or_never(), Some(()));
    }
}
