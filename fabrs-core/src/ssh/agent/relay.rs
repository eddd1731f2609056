//! The relay between a channel of a host and the local agent.

use bytes::BytesMut;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The size of the copy buffer in bytes.
const CHUNK_SIZE: usize = 32 << 10;
/// The maximum number of bytes queued for the agent. The largest message of an agent has 256 KiB.
const MAX_QUEUED_BYTES: usize = 512 << 10;

/// Copies in both directions until one side ends, then closes the channel and the connection to the
/// agent.
pub(super) async fn relay(channel: Channel<Msg>, agent: UnixStream) {
    let (from_host, to_host) = channel.split();
    let (from_agent, to_agent) = agent.into_split();
    // The end of either direction ends both: a writer waiting for window is not woken when its
    // channel closes.
    tokio::select! {
        () = copy_to_agent(from_host, to_agent) => {}
        () = copy_to_host(from_agent, &to_host) => {}
    }
    drop(to_host.close().await);
}

/// Copies to the agent. Always reads the channel, because a full channel stalls its whole session:
/// an agent may wait for a confirmation by the user. A host that sends more than any agent message
/// loses its channel.
async fn copy_to_agent(mut from_host: ChannelReadHalf, mut to_agent: OwnedWriteHalf) {
    let mut queued = BytesMut::new();
    let mut has_ended = false;
    loop {
        tokio::select! {
            message = from_host.wait() => match message {
                Some(ChannelMsg::Data { data }) if queued.len() + data.len() <= MAX_QUEUED_BYTES => {
                    queued.extend_from_slice(&data);
                }
                Some(ChannelMsg::Data { .. } | ChannelMsg::Close) | None => return,
                Some(ChannelMsg::Eof) => has_ended = true,
                Some(_) => {}
            },
            written = to_agent.write_buf(&mut queued), if !queued.is_empty() => {
                if written.is_err() {
                    return;
                }
            }
        }
        // The agent can still answer the last message.
        if has_ended && queued.is_empty() && to_agent.shutdown().await.is_err() {
            return;
        }
    }
}

async fn copy_to_host(mut from_agent: OwnedReadHalf, to_host: &ChannelWriteHalf<Msg>) {
    let mut chunk = BytesMut::new();
    loop {
        chunk.reserve(CHUNK_SIZE);
        match from_agent.read_buf(&mut chunk).await {
            Ok(read) if read > 0 && to_host.data_bytes(chunk.split().freeze()).await.is_ok() => {}
            _ => return drop(to_host.eof().await),
        }
    }
}
