//! The stream through a gateway on which the next session speaks.

use bytes::BytesMut;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio_util::task::TaskTracker;

use super::link::WINDOW;
use super::slots::MAX_SESSIONS;

/// How much may wait on the way: more than the windows of all channels of the inner session allow.
pub(super) const ROOM: usize = (MAX_SESSIONS + 1) * WINDOW as usize;
/// How much is passed on at a time.
pub(super) const PIECE: usize = 32 << 10;

/// Makes a stream of a channel, whose bytes are carried by a task of the gateway's session. The task holds `session`, so
/// that the gateway's link is in use until the stream ends.
///
/// The channel is always emptied, also while the inner session writes and does not read: russh waits with the whole
/// outer session for a full channel, and so would never see the window for which that writing waits.
pub(super) fn stream(channel: Channel<Msg>, tasks: &TaskTracker, session: impl Send + 'static) -> DuplexStream {
    let (near, far) = duplex(ROOM);
    tasks.spawn(async move {
        carry(channel, far).await;
        drop(session);
    });
    near
}

async fn carry(channel: Channel<Msg>, far: DuplexStream) {
    let (from_host, to_host) = channel.split();
    let (from_session, to_session) = split(far);
    // The end of either way is the end of both: a writer that waits for window is not woken when its channel ends.
    tokio::select! {
        () = inwards(from_host, to_session) => {}
        () = outwards(from_session, &to_host) => {}
    }
    drop(to_host.close().await);
}

async fn inwards(mut from_host: ChannelReadHalf, mut to_session: WriteHalf<DuplexStream>) {
    while let Some(message) = from_host.wait().await {
        match message {
            ChannelMsg::Data { data } if to_session.write_all(&data).await.is_ok() => {}
            ChannelMsg::Data { .. } | ChannelMsg::Eof | ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn outwards(mut from_session: ReadHalf<DuplexStream>, to_host: &ChannelWriteHalf<Msg>) {
    let mut piece = BytesMut::new();
    loop {
        piece.reserve(PIECE);
        match from_session.read_buf(&mut piece).await {
            Ok(read) if read > 0 && to_host.data_bytes(piece.split().freeze()).await.is_ok() => {}
            _ => return,
        }
    }
}
