//! The stdin of a command: writes queued bytes to the channel within its window.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use russh::ChannelWriteHalf;
use russh::client::Msg;

use crate::ssh::send_budget::{PACKET_BYTES, SendBudget};
use crate::transport::SignalStrategy;
use crate::transport::{Answer, StdinSource};
use crate::transport::{QueueFull, StdinQueue};

/// The default end-of-file character of a terminal (`stty eof`).
const EOT: u8 = 4;

/// The stdin of a command.
pub(super) struct ChannelStdin {
    write: Arc<ChannelWriteHalf<Msg>>,
    send_budget: Arc<SendBudget>,
    /// The queued bytes. `None` after the end of file. Also `None` for a command with a guard
    /// process, because the guard process reads the stdin.
    queue: Option<StdinQueue>,
    /// The current write. It survives a cancelled [`write_next`](Self::write_next), because some
    /// bytes may already be sent.
    pending_write: Option<BoxFuture<'static, ()>>,
    pty: bool,
    strategy: SignalStrategy,
    /// True if the last byte written was not a line end.
    is_mid_line: bool,
}

impl ChannelStdin {
    pub(super) fn new(
        write: Arc<ChannelWriteHalf<Msg>>,
        send_budget: Arc<SendBudget>,
        stdin: StdinSource,
        pty: bool,
        strategy: SignalStrategy,
    ) -> Self {
        // A guard process treats the end of file as a lost connection.
        let queue = (strategy != SignalStrategy::GuardProcess).then(|| StdinQueue::new(stdin));
        let pending_write = strategy.stdin_preamble().map(|stdin_preamble| {
            let write = Arc::clone(&write);
            async move { drop(write.data_bytes(stdin_preamble).await) }.boxed()
        });
        Self { write, send_budget, queue, pending_write, pty, strategy, is_mid_line: false }
    }

    /// Adds an answer to the queue.
    ///
    /// # Errors
    ///
    /// As [`StdinQueue::answer`].
    pub(super) fn answer(&mut self, answer: Answer) -> Result<(), QueueFull> {
        self.queue.as_mut().map_or(Ok(()), |queue| queue.answer(answer))
    }

    /// Discards the bytes not yet written.
    pub(super) fn discard(&mut self) {
        self.queue = None;
        self.pending_write = None;
    }

    /// Writes the next chunk or the end of file. Never returns after the end of file.
    ///
    /// Run it in a `select!` with the reader: a writer waiting for window is not woken when its
    /// channel closes. A failed write means a closed channel, and the reader reports the closing.
    /// Cancel safe.
    pub(super) async fn write_next(&mut self) {
        if let Some(pending_write) = &mut self.pending_write {
            pending_write.await;
            self.pending_write = None;
        }
        let Some(queue) = &mut self.queue else { return std::future::pending().await };
        let write = Arc::clone(&self.write);
        self.pending_write = Some(match queue.next().await {
            Some(mut piece) => {
                piece.truncate(PACKET_BYTES);
                queue.advance(piece.len());
                self.is_mid_line = piece.last().map_or(self.is_mid_line, |last| *last != b'\n');
                let send_budget = Arc::clone(&self.send_budget);
                let written = async move {
                    send_budget.acquire(piece.len()).await;
                    drop(write.data_bytes(piece).await);
                };
                written.boxed()
            }
            None => {
                self.queue = None;
                let typed_eof = self.typed_eof();
                // No keystroke can be sent after an EOF message. The typed character replaces the
                // message.
                let closes = self.strategy != SignalStrategy::Keystroke;
                async move {
                    // An empty write would still be a message to the session task.
                    if !typed_eof.is_empty() {
                        drop(write.data_bytes(typed_eof).await);
                    }
                    if closes {
                        drop(write.eof().await);
                    }
                }
                .boxed()
            }
        });
    }

    /// Returns the end-of-file characters to type on a pseudo-terminal, because sshd cannot close
    /// only its input. In the middle of a line, two characters are necessary: the first only
    /// submits the line.
    fn typed_eof(&self) -> Bytes {
        match (self.pty, self.is_mid_line) {
            (false, _) => Bytes::new(),
            (true, false) => Bytes::from_static(&[EOT]),
            (true, true) => Bytes::from_static(&[EOT; 2]),
        }
    }
}

impl fmt::Debug for ChannelStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStdin").field("queue", &self.queue).finish_non_exhaustive()
    }
}
