//! A byte stream through a channel of a gateway's session.

use bytes::BytesMut;
use futures::future::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::unconstrained;
use tokio_util::task::TaskTracker;

use crate::ssh::relay::{RelaySide, SessionSide, relay_stream};
use crate::ssh::target::Purpose;

/// The size of the copy buffer in bytes.
pub(super) const CHUNK_SIZE: usize = 32 << 10;

/// Returns a stream to a channel. A task of the gateway's session copies the bytes. The task holds
/// `session`, so the gateway's session stays in use until the stream ends.
///
/// The task always reads the channel, even while the session with the host writes without reading.
/// If the channel were full, russh would block the whole session of the gateway. The gateway's
/// session would then miss the window change that the write waits for.
pub(super) fn open_stream(
    channel: Channel<Msg>,
    purpose: Purpose,
    tasks: &TaskTracker,
    session: impl Send + 'static,
) -> SessionSide {
    let (session_side, relay_side) = relay_stream(purpose);
    tasks.spawn(async move {
        relay(channel, relay_side, purpose).await;
        drop(session);
    });
    session_side
}

async fn relay(channel: Channel<Msg>, RelaySide { from_session, to_session }: RelaySide, purpose: Purpose) {
    let (from_host, to_host) = channel.split();
    // The end of either direction ends both: a writer waiting for window is not woken when its
    // channel closes.
    tokio::select! {
        () = copy_to_session(from_host, to_session, purpose) => {}
        () = copy_to_host(from_session, &to_host) => {}
    }
    drop(to_host.close().await);
}

/// Copies to the session with the host without waiting. The buffer has room for a host that
/// respects the windows of its channels. The stream of a host that ignores the windows is closed,
/// because waiting would stall all hosts behind the gateway.
async fn copy_to_session(mut from_host: ChannelReadHalf, mut to_session: DuplexStream, purpose: Purpose) {
    while let Some(message) = from_host.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                let write = to_session.write_all(&data);
                let written = match purpose {
                    Purpose::Work => unconstrained(write).now_or_never(),
                    // The windows of a gateway's tunnels have no common limit.
                    Purpose::Gateway => Some(write.await),
                };
                if !matches!(written, Some(Ok(()))) {
                    return;
                }
            }
            ChannelMsg::Eof | ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn copy_to_host(mut from_session: DuplexStream, to_host: &ChannelWriteHalf<Msg>) {
    let mut chunk = BytesMut::new();
    loop {
        chunk.reserve(CHUNK_SIZE);
        match from_session.read_buf(&mut chunk).await {
            Ok(read) if read > 0 && to_host.data_bytes(chunk.split().freeze()).await.is_ok() => {}
            _ => return,
        }
    }
}
