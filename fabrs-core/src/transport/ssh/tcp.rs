//! The TCP connection under a session: names, addresses, and what the kernel is told about it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};

use crate::open_files;

/// How long the first address has before the next is tried beside it (RFC 8305 §8 suggests 250 ms).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// When an idle connection is asked by the kernel whether it still stands.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// A read of fewer bytes is a reply somebody waits for, and not bulk.
const SMALL_READ: usize = 4096;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum TcpError {
    #[error("the name does not resolve")]
    Resolve(#[source] io::Error),
    #[error("the name has no address")]
    NoAddress,
    // In one line: which of several addresses it was says little without the reason.
    #[error("{0}: {1}")]
    Connect(SocketAddr, io::Error),
}

impl TcpError {
    /// Returns what to look at.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Resolve(_) | Self::NoAddress => {
                Some("is the name right? `HostName` in the ssh config can say another")
            }
            Self::Connect(_, why) if why.kind() == io::ErrorKind::ConnectionRefused => Some(
                "nothing listens there: does sshd run, and is it the right port (`--port N`, or `Port` of a gateway)?",
            ),
            Self::Connect(..) => None,
        }
    }
}

/// Connects to the first address of `name` that answers.
pub(super) async fn connect(name: &str, port: u16) -> Result<QuickAck, TcpError> {
    let addresses = resolve(name, port).await?;
    let mut attempts = tokio::task::JoinSet::new();
    let mut failure = TcpError::NoAddress;
    let mut waiting = addresses.into_iter();
    loop {
        let another = waiting.next();
        let more = another.is_some();
        if let Some(address) = another {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            done = attempts.join_next() => match done {
                Some(Ok((_, Ok(stream)))) => return QuickAck::new(stream).map_err(TcpError::Resolve),
                Some(Ok((address, Err(source)))) => failure = TcpError::Connect(address, source),
                Some(Err(_)) => {}
                None => return Err(failure),
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if more => {}
        }
    }
}

/// Returns the addresses of a name, the two families in turn (RFC 8305 §4).
async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, TcpError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = lookup_host((name, port)).await;
    let found = found.map_err(|error| TcpError::Resolve(open_files::exhausted().unwrap_or(error)));
    let all: Vec<SocketAddr> = found?.collect();
    let first_is_v6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed = Vec::new();
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    Ok(mixed)
}

/// A TCP stream that acknowledges small packets at once.
///
/// sshd leaves Nagle's algorithm on until the first session has started, so while logging in its small writes wait for
/// our delayed ACK: 40 ms on every first command, unless `TCP_QUICKACK` is set again after each read.
#[derive(Debug)]
pub(super) struct QuickAck(TcpStream);

impl QuickAck {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        let this = Self(stream);
        this.acknowledge();
        Ok(this)
    }

    /// Asks for the next acknowledgement without delay. Only Linux has it; elsewhere, and on failure, it is slower.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        drop(SockRef::from(&self.0).set_tcp_quickack(true));
    }
}

impl AsyncRead for QuickAck {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.0).poll_read(cx, buffer));
        if buffer.filled().len() - before < SMALL_READ {
            self.acknowledge();
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for QuickAck {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
