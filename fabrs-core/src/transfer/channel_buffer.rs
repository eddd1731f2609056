//! [`ChannelBuffer`]: the output of a channel, between the channel task and the reader.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::progress_counter::ProgressCounter;
use crate::mutex::lock;
use crate::transport::CommandOutcome;

/// The unread output of a channel, and the end of the channel.
#[derive(Debug, Clone)]
pub(crate) struct ChannelBuffer {
    /// The maximum number of unread bytes, in case a host sends unrequested data.
    max_waiting: usize,
    state: Arc<Mutex<State>>,
    /// Cancelled at the end of the channel.
    over: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    size: usize,
    outcome: Option<CommandOutcome>,
    reader: Option<Waker>,
    /// The file that receives the output instead of the reader.
    file: Option<Diverted>,
    failure: Option<io::Error>,
    overflow: Option<Overflow>,
    progress: Option<Arc<ProgressCounter>>,
    /// The reader was dropped. Further output is counted and not kept.
    is_abandoned: bool,
}

/// A file that receives all further output.
#[derive(Debug)]
struct Diverted {
    file: File,
    /// The number of bytes left until the limit.
    left: u64,
}

/// The reason for rejected output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The unread output would exceed its limit.
    Unread,
    /// The file would exceed its limit.
    File,
}

impl ChannelBuffer {
    pub(crate) fn new(max_waiting: usize) -> Self {
        Self { max_waiting, state: Arc::default(), over: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Adds output. Returns false if it exceeds a limit.
    pub(crate) fn push(&self, bytes: &[u8]) -> bool {
        let mut state = self.state();
        if let Some(Diverted { file, left }) = &mut state.file {
            let Some(less) = left.checked_sub(bytes.len() as u64) else {
                state.overflow = Some(Overflow::File);
                return false;
            };
            *left = less;
            // A write blocks the task only briefly: the page cache receives the data.
            let written = file.write_all(bytes);
            if let Some(progress) = &state.progress {
                progress.add(bytes.len());
            }
            state.failure = written.err();
            return state.failure.is_none();
        }
        if state.size + bytes.len() > self.max_waiting {
            state.overflow = Some(Overflow::Unread);
            return false;
        }
        state.size += bytes.len();
        if state.is_abandoned {
            return true;
        }
        state.chunks.push_back(Bytes::copy_from_slice(bytes));
        state.reader.take().into_iter().for_each(Waker::wake);
        true
    }

    /// Writes all further output to a file, up to a `limit` in bytes, and counts the bytes.
    pub(crate) fn divert(&self, file: File, limit: u64, progress: Arc<ProgressCounter>) {
        let mut state = self.state();
        (state.file, state.progress) = (Some(Diverted { file, left: limit }), Some(progress));
    }

    /// Returns the error of a failed write to the file, if any.
    pub(crate) fn take_write_error(&self) -> Option<io::Error> {
        let mut state = self.state();
        state.progress = None;
        state.failure.take()
    }

    /// Returns the reason for rejected output.
    pub(crate) fn overflow(&self) -> Option<Overflow> {
        self.state().overflow
    }

    /// Records the end of the channel, with its result for a reader that needs it.
    pub(crate) fn end(&self, outcome: Option<CommandOutcome>) {
        let mut state = self.state();
        state.outcome = outcome;
        self.over.cancel();
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// Waits for the end of the channel, and returns its result.
    pub(crate) async fn ended(&self) -> Option<CommandOutcome> {
        self.over.cancelled().await;
        self.state().outcome.clone()
    }
}

/// The reader of a [`ChannelBuffer`].
#[derive(Debug)]
pub(crate) struct ChannelReader(pub(crate) ChannelBuffer);

impl AsyncRead for ChannelReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        let Some(chunk) = state.chunks.front_mut() else {
            if self.0.over.is_cancelled() {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let count = chunk.len().min(buffer.remaining());
        buffer.put_slice(chunk.get(..count).unwrap_or_default());
        chunk.advance(count);
        if chunk.is_empty() {
            state.chunks.pop_front();
        }
        state.size -= count;
        Poll::Ready(Ok(()))
    }
}

impl Drop for ChannelReader {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_abandoned = true;
        state.chunks = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unrequested_output_is_not_kept() {
        let incoming = ChannelBuffer::new(32 << 20);
        let chunk = vec![0; 1 << 20];
        let kept = (0..64).take_while(|_| incoming.push(&chunk)).count();
        assert_eq!((kept, incoming.overflow()), (32, Some(Overflow::Unread)));
    }
}
