//! TCP connections: name resolution, parallel attempts (RFC 8305) and socket options.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};

use crate::open_files;

/// The delay before the next address is tried in parallel. RFC 8305 §8 suggests 250 ms.
const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);
/// The idle time before the kernel sends keepalive probes.
const KEEPALIVE_IDLE_TIME: Duration = Duration::from_mins(1);
/// Reads below this size are short replies, not bulk data.
const SMALL_READ_BYTES: usize = 4096;

/// The error of a TCP connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum TcpError {
    #[error("the name does not resolve")]
    Resolve(#[source] io::Error),
    #[error("the name has no address")]
    NoAddress,
    // In one line, because the address is useful only with the reason.
    #[error("{0}: {1}")]
    Connect(SocketAddr, io::Error),
}

impl TcpError {
    /// Returns a hint for the user.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Resolve(_) | Self::NoAddress => Some("check the name, or set `HostName` in the ssh config"),
            Self::Connect(_, why) if why.kind() == io::ErrorKind::ConnectionRefused => Some(
                "no server listens on this port: check that sshd runs, or set the port with `--port N` (of a gateway: `Port` in the ssh config)",
            ),
            Self::Connect(..) => None,
        }
    }
}

/// Connects to the first address of `name` that responds.
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
                Some(Ok((address, Ok(stream)))) => {
                    return QuickAck::new(stream).map_err(|source| TcpError::Connect(address, source));
                },
                Some(Ok((address, Err(source)))) => failure = TcpError::Connect(address, source),
                Some(Err(_)) => {}
                None => return Err(failure),
            },
            () = tokio::time::sleep(NEXT_ADDRESS_DELAY), if more => {}
        }
    }
}

/// Returns the addresses of a name, alternating between both families (RFC 8305 §4).
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

/// A TCP stream with immediate acknowledgements of small packets.
///
/// sshd uses Nagle's algorithm until the first session has started. Its small writes during the
/// login therefore wait for our delayed ACK. This costs 40 ms on every first command, unless
/// `TCP_QUICKACK` is set again after each read.
#[derive(Debug)]
pub(super) struct QuickAck(TcpStream);

impl QuickAck {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_IDLE_TIME))?;
        let this = Self(stream);
        this.acknowledge();
        Ok(this)
    }

    /// Requests an immediate acknowledgement. Linux only. Elsewhere, and after an error, the
    /// connection is slower.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        drop(SockRef::from(&self.0).set_tcp_quickack(true));
    }
}

impl AsyncRead for QuickAck {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.0).poll_read(cx, buffer));
        if buffer.filled().len() - before < SMALL_READ_BYTES {
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
