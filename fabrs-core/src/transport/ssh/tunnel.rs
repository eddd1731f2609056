//! The stream through a gateway on which the next session speaks.

use bytes::BytesMut;
use futures::future::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::unconstrained;
use tokio_util::task::TaskTracker;

use crate::transport::ssh::relay::{Far, Near, pipe};
use crate::transport::ssh::target::Purpose;

/// How much is passed on at a time.
pub(super) const PIECE: usize = 32 << 10;

/// Makes a stream of a channel, whose bytes are carried by a task of the gateway's session. The task holds `session`, so
/// that the gateway's link is in use until the stream ends.
///
/// The channel is always emptied, also while the inner session writes and does not read. russh waits with the whole outer
/// session for a full channel, and so would never see the window for which that writing waits.
pub(super) fn stream(
    channel: Channel<Msg>,
    purpose: Purpose,
    tasks: &TaskTracker,
    session: impl Send + 'static,
) -> Near {
    let (near, far) = pipe(purpose);
    tasks.spawn(async move {
        carry(channel, far, purpose).await;
        drop(session);
    });
    near
}

async fn carry(channel: Channel<Msg>, Far { from_session, to_session }: Far, purpose: Purpose) {
    let (from_host, to_host) = channel.split();
    // The end of either way is the end of both: a writer that waits for window is not woken when its channel ends.
    tokio::select! {
        () = inwards(from_host, to_session, purpose) => {}
        () = outwards(from_session, &to_host) => {}
    }
    drop(to_host.close().await);
}

/// Writes to the inner session without waiting. An honest host fits, since it stays within the windows of its channels.
/// The stream of any other host is closed: waiting for it would stall all hosts behind the gateway.
async fn inwards(mut from_host: ChannelReadHalf, mut to_session: DuplexStream, purpose: Purpose) {
    while let Some(message) = from_host.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                let write = to_session.write_all(&data);
                let written = match purpose {
                    Purpose::Work => unconstrained(write).now_or_never(),
                    // The windows of its tunnels, together, have no limit.
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

async fn outwards(mut from_session: DuplexStream, to_host: &ChannelWriteHalf<Msg>) {
    let mut piece = BytesMut::new();
    loop {
        piece.reserve(PIECE);
        match from_session.read_buf(&mut piece).await {
            Ok(read) if read > 0 && to_host.data_bytes(piece.split().freeze()).await.is_ok() => {}
            _ => return,
        }
    }
}
