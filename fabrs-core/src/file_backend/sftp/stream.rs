//! The channel of a subsystem as a byte stream, between the transport and a protocol client.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::event::{Event, Sink, Stream};
use crate::host::Host;
use crate::transfer::channel_buffer::{ChannelBuffer, ChannelReader};
use crate::transport::{Answer, CommandOutcome, Completion, OutputReceiver};

/// The maximum number of packets queued for the network.
const MAX_QUEUED_CHUNKS: usize = 4;
/// The maximum number of unread bytes: twice the size of all concurrent reads of a transfer.
const MAX_UNREAD: usize = 32 << 20;

/// Both ends of a channel.
pub(crate) struct SubsystemChannel {
    /// The end for the protocol client.
    pub(crate) stream: ChannelStream,
    /// The end for the transport, which sends these bytes.
    pub(crate) chunks: mpsc::Receiver<Bytes>,
    /// Receives the bytes that the transport reads.
    pub(crate) incoming: ChannelBuffer,
}

impl SubsystemChannel {
    pub(crate) fn new() -> Self {
        let (sender, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
        let incoming = ChannelBuffer::new(MAX_UNREAD);
        let stream = ChannelStream { reader: ChannelReader(incoming.clone()), outgoing: PollSender::new(sender) };
        Self { stream, chunks, incoming }
    }
}

/// The channel for a protocol client. Dropping it ends the input.
pub(crate) struct ChannelStream {
    reader: ChannelReader,
    outgoing: PollSender<Bytes>,
}

impl fmt::Debug for ChannelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStream").finish_non_exhaustive()
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
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

/// Forwards bytes of a channel to its stream, and reports the end of the channel as the end of a
/// command.
pub(crate) struct ChannelReceiver {
    pub(crate) incoming: ChannelBuffer,
    pub(crate) number: u64,
    pub(crate) host: Host,
    pub(crate) shown: Arc<str>,
    pub(crate) sink: Arc<dyn Sink>,
}

impl fmt::Debug for ChannelReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelReceiver").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl OutputReceiver for ChannelReceiver {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream == Stream::Stdout && !self.incoming.push(bytes) {
            answer.stop();
        }
    }

    fn ended(&mut self, end: &Completion) {
        let (host, command) = (&self.host, &*self.shown);
        let status = match &end.outcome {
            CommandOutcome::Exited(status) | CommandOutcome::Truncated(status, _) => Some(status),
            _ => None,
        };
        if !matches!(end.outcome, CommandOutcome::Planned) {
            let (number, elapsed) = (self.number, end.elapsed);
            let error = end.outcome.error().map(|error| error.or_on(Some(host)));
            let error = error.as_ref();
            self.sink.event(&Event::CommandEnded { id: number, host, command, status, error, elapsed });
        }
        self.incoming.end(Some(end.outcome.clone()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::output::ExitStatus;

    #[tokio::test]
    async fn output_is_read_in_order_before_the_end() {
        let SubsystemChannel { mut stream, incoming, .. } = SubsystemChannel::new();
        let reads = async {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.map(|_| all)
        };
        let writes = async {
            for chunk in [&b"one "[..], b"two ", b"three"] {
                assert!(incoming.push(chunk));
                tokio::task::yield_now().await;
            }
            incoming.end(Some(CommandOutcome::Exited(ExitStatus::Code(0))));
        };
        let (read, ()) = tokio::join!(reads, writes);
        assert_eq!(read.expect("the stream ends"), b"one two three");
    }

    #[tokio::test]
    async fn written_bytes_reach_the_transport_before_the_end() {
        let SubsystemChannel { mut stream, mut chunks, .. } = SubsystemChannel::new();
        stream.write_all(b"packet").await.expect("the transport reads");
        stream.shutdown().await.expect("the stream can be shut down");
        assert_eq!(chunks.recv().await.as_deref(), Some(&b"packet"[..]));
        assert_eq!(chunks.recv().await, None);
    }
}
