//! What comes out of a channel, between the task that empties it and who reads it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::gauge::Gauge;
use crate::transport::How;

/// How much may wait to be read: a host answers only what it is asked, and what is asked at a time is less.
const MOST: usize = 32 << 20;

/// What has come and was not read yet; and how it ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Incoming {
    state: Arc<Mutex<State>>,
    /// Raised when no more can come.
    over: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    size: usize,
    how: Option<How>,
    reader: Option<Waker>,
    /// Where what comes goes in the place of the pieces.
    file: Option<File>,
    failure: Option<io::Error>,
    gauge: Option<Arc<Gauge>>,
}

impl Incoming {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what has come; false where it is more than was ever asked for, or than there is room for.
    pub(super) fn push(&self, bytes: &[u8]) -> bool {
        let mut state = self.state();
        if let Some(file) = &mut state.file {
            // While the channel is emptied, as the spool of a slow terminal is written: what waits for the disk is in the
            // system's memory.
            let written = file.write_all(bytes);
            if let Some(gauge) = &state.gauge {
                gauge.add(bytes.len());
            }
            state.failure = written.err();
            return state.failure.is_none();
        }
        if state.size + bytes.len() > MOST {
            return false;
        }
        state.size += bytes.len();
        state.pieces.push_back(Bytes::copy_from_slice(bytes));
        state.reader.take().into_iter().for_each(Waker::wake);
        true
    }

    /// Has what comes from now on be written to a file, and noted by a gauge.
    pub(super) fn divert(&self, file: File, gauge: Arc<Gauge>) {
        let mut state = self.state();
        (state.file, state.gauge) = (Some(file), Some(gauge));
    }

    /// Returns why not all of what was diverted is in its file.
    pub(super) fn diverted(&self) -> Option<io::Error> {
        let mut state = self.state();
        state.gauge = None;
        state.failure.take()
    }

    /// Notes that no more will come; `how` the channel ended, where its reader has to know.
    pub(super) fn end(&self, how: Option<How>) {
        let mut state = self.state();
        state.how = how;
        self.over.cancel();
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// Waits until the channel has ended, and returns how.
    pub(super) async fn ended(&self) -> Option<How> {
        self.over.cancelled().await;
        self.state().how.clone()
    }
}

/// What has come, for who reads it.
#[derive(Debug)]
pub(super) struct Heard(pub(super) Incoming);

impl AsyncRead for Heard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        let Some(piece) = state.pieces.front_mut() else {
            if self.0.over.is_cancelled() {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let count = piece.len().min(buffer.remaining());
        buffer.put_slice(piece.get(..count).unwrap_or_default());
        piece.advance(count);
        if piece.is_empty() {
            state.pieces.pop_front();
        }
        state.size -= count;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_that_nobody_asked_for_is_not_kept() {
        let incoming = Incoming::default();
        let piece = vec![0; 1 << 20];
        let kept = (0..64).take_while(|_| incoming.push(&piece)).count();
        assert_eq!(kept << 20, MOST);
    }
}
