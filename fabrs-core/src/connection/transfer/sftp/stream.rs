//! The channel of a subsystem as a stream, between its transport and who speaks its protocol.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, PollSender};

use crate::event::{Event, Sink, Stream};
use crate::host::Host;
use crate::transport::{Answer, End, How, Receive};

/// How many packets may wait for the network.
const WAITING: usize = 4;
/// How much may wait to be read. A server answers only what it is asked, and what is asked at a time is less.
const MOST: usize = 32 << 20;

/// Both ends of a channel.
pub(super) struct Channel {
    /// For who speaks the protocol.
    pub(super) stream: ChannelStream,
    /// For the transport, which writes what comes here.
    pub(super) pieces: mpsc::Receiver<Bytes>,
    /// Takes what the transport reads.
    pub(super) incoming: Incoming,
}

impl Channel {
    pub(super) fn new() -> Self {
        let (sender, pieces) = mpsc::channel(WAITING);
        let incoming = Incoming::default();
        let stream = ChannelStream { incoming: incoming.clone(), outgoing: PollSender::new(sender) };
        Self { stream, pieces, incoming }
    }
}

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
}

impl Incoming {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what has come; false where it is more than was ever asked for.
    fn push(&self, bytes: &[u8]) -> bool {
        let mut state = self.state();
        if state.size + bytes.len() > MOST {
            return false;
        }
        state.size += bytes.len();
        state.pieces.push_back(Bytes::copy_from_slice(bytes));
        state.reader.take().into_iter().for_each(Waker::wake);
        true
    }

    fn end(&self, how: How) {
        let mut state = self.state();
        state.how = Some(how);
        state.reader.take().into_iter().for_each(Waker::wake);
        self.over.cancel();
    }

    /// Waits until the channel has ended, and returns how.
    pub(super) async fn ended(&self) -> Option<How> {
        self.over.cancelled().await;
        self.state().how.clone()
    }
}

/// The channel for who speaks the protocol; dropped, its input ends.
pub(super) struct ChannelStream {
    incoming: Incoming,
    outgoing: PollSender<Bytes>,
}

impl fmt::Debug for ChannelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStream").finish_non_exhaustive()
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.incoming.state();
        let Some(piece) = state.pieces.front_mut() else {
            if state.how.is_some() {
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

impl AsyncWrite for ChannelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.outgoing.poll_reserve(cx)).map_err(gone)?;
        self.outgoing.send_item(Bytes::copy_from_slice(bytes)).map_err(gone)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

/// Hands what comes on a channel to its stream, and tells its end as that of a command.
pub(super) struct Receiver {
    pub(super) incoming: Incoming,
    pub(super) number: u64,
    pub(super) host: Host,
    pub(super) shown: Arc<str>,
    pub(super) sink: Arc<dyn Sink>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Receive for Receiver {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream == Stream::Stdout && !self.incoming.push(bytes) {
            answer.stop();
        }
    }

    fn ended(&mut self, end: &End) {
        let (host, command) = (&self.host, &*self.shown);
        let status = match &end.how {
            How::Exited(status) | How::Cut(status, _) => Some(status),
            _ => None,
        };
        if !matches!(end.how, How::Planned) {
            self.sink.event(&Event::CommandEnded { number: self.number, host, command, status, elapsed: end.elapsed });
        }
        self.incoming.end(end.how.clone());
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::output::ExitStatus;

    #[tokio::test]
    async fn what_comes_is_read_in_its_order_and_then_the_end() {
        let Channel { mut stream, incoming, .. } = Channel::new();
        let reads = async {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.map(|_| all)
        };
        let comes = async {
            for piece in [&b"one "[..], b"two ", b"three"] {
                assert!(incoming.push(piece));
                tokio::task::yield_now().await;
            }
            incoming.end(How::Exited(ExitStatus::Code(0)));
        };
        let (read, ()) = tokio::join!(reads, comes);
        assert_eq!(read.expect("it ends"), b"one two three");
    }

    #[tokio::test]
    async fn a_flood_that_nobody_asked_for_is_not_kept() {
        let Channel { incoming, .. } = Channel::new();
        let piece = vec![0; 1 << 20];
        let kept = (0..64).take_while(|_| incoming.push(&piece)).count();
        assert_eq!(kept << 20, MOST);
    }

    #[tokio::test]
    async fn what_is_written_comes_to_the_transport_and_then_the_end() {
        let Channel { mut stream, mut pieces, .. } = Channel::new();
        stream.write_all(b"packet").await.expect("somebody reads");
        stream.shutdown().await.expect("it can be ended");
        assert_eq!(pieces.recv().await.as_deref(), Some(&b"packet"[..]));
        assert_eq!(pieces.recv().await, None);
    }
}
