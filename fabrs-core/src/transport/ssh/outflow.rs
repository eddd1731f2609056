//! How much of what commands are given waits in a session for its network.
//!
//! russh takes all that is there before it writes, as much as the windows of all channels together allow. What is handed to
//! it waits here instead, so that one session's input takes a megabyte and not many.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// From here on nothing more is handed over until something has been written.
const ENOUGH: usize = 1 << 20;

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
    fn note_written(&self) {
        if self.waiting.swap(0, Ordering::Relaxed) >= ENOUGH {
            self.written.notify_waiters();
        }
    }
}

/// A stream that tells when it is written to.
#[derive(Debug)]
pub(super) struct Flowing<S> {
    stream: S,
    outflow: Arc<Outflow>,
}

impl<S> Flowing<S> {
    pub(super) fn new(stream: S, outflow: Arc<Outflow>) -> Self {
        Self { stream, outflow }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Flowing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flowing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outflow.note_written();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn who_has_more_waits_until_the_session_writes() {
        let outflow = Arc::new(Outflow::default());
        let mut stream = Flowing::new(tokio::io::sink(), Arc::clone(&outflow));
        outflow.admit(ENOUGH - 1).await;
        outflow.admit(ENOUGH).await;
        let mut more = pin!(outflow.admit(1));
        assert_eq!(more.as_mut().now_or_never(), None);
        stream.write_all(b"all of it").await.expect("a sink takes it");
        assert_eq!(more.now_or_never(), Some(()));
    }
}
