//! Connectors: byte streams to a host over TCP, through a gateway or by a `ProxyCommand`.

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use russh::ChannelOpenFailure::AdministrativelyProhibited;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::ssh::proxy::{ProxyExitReceiver, ProxyProgram};
use crate::ssh::relay;
use crate::ssh::session::Session;
use crate::ssh::target::Target;
use crate::ssh::tcp;

/// The window of a channel over TCP in bytes. At a round trip of 20 ms, 800 MB/s need 16 MiB.
/// Output is always read at once, so the window costs no memory.
const TCP_CHANNEL_WINDOW_BYTES: u32 = 16 << 20;

/// A kind of connection to a host.
#[derive(Debug)]
pub(super) enum Connector {
    /// TCP to the address and port.
    Tcp,
    /// A tunnel through the session of a gateway.
    Gateway(Arc<dyn GatewaySession>),
    /// The stdin and stdout of a `ProxyCommand`.
    Proxy(ProxyProgram),
}

/// The shared session of a gateway.
pub(super) trait GatewaySession: fmt::Debug + Send + Sync {
    /// Returns the gateway.
    fn host(&self) -> &Host;

    /// Returns the session. Connects if there is no session.
    fn session(self: Arc<Self>) -> BoxFuture<'static, Result<Arc<Session>>>;
}

/// The byte stream under a session.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// A stream to a host. For a `ProxyCommand`, also a receiver of its exit status.
pub(super) struct OpenedStream {
    pub(super) stream: Box<dyn ByteStream>,
    pub(super) proxy_exit: Option<ProxyExitReceiver>,
}

impl Connector {
    /// Connects the gateway first, including its prompts. This time does not count towards the
    /// connect timeout of the host.
    pub(super) async fn prepare(&self, target: &Target) -> Result<()> {
        match self {
            Self::Gateway(gateway) => gateway_session(gateway, target).await.map(drop),
            Self::Tcp | Self::Proxy(_) => Ok(()),
        }
    }

    /// Returns the window of a channel: the number of bytes a server may send before an
    /// acknowledgement.
    pub(super) fn channel_window(&self) -> u32 {
        match self {
            Self::Tcp => TCP_CHANNEL_WINDOW_BYTES,
            Self::Gateway(_) | Self::Proxy(_) => relay::CHANNEL_WINDOW_BYTES,
        }
    }

    /// Returns the maximum number of descriptors of a session, including the socket of the agent
    /// during the login.
    pub(super) fn descriptor_count(&self) -> usize {
        match self {
            Self::Tcp => 2,
            // Three pipes and, on Linux, the process.
            Self::Proxy(_) => 5,
            // The stream is a channel of the gateway's session.
            Self::Gateway(_) => 0,
        }
    }

    /// Opens a stream to the host.
    pub(super) async fn open(&self, target: &Target) -> Result<OpenedStream> {
        let Target { host, purpose, address, port, .. } = target;
        match self {
            Self::Tcp => {
                let stream = tcp::connect(address, *port).await.map_err(|source| {
                    let text = format!("could not connect to {address} port {port}");
                    let error = Error::new(ErrorKind::Connect, text).on(host).with_address(address);
                    let error = match source.hint() {
                        Some(hint) => error.hint(hint),
                        None => error,
                    };
                    error.caused_by(source)
                })?;
                Ok(OpenedStream { stream: Box::new(stream), proxy_exit: None })
            }
            Self::Gateway(gateway) => {
                let session = gateway_session(gateway, target).await?;
                let opened = session.tunnel(address, *port, *purpose).await;
                let stream = opened.map_err(|source| gateway_error(&**gateway, target, source))?;
                Ok(OpenedStream { stream: Box::new(stream), proxy_exit: None })
            }
            Self::Proxy(proxy) => {
                let (stream, proxy_exit) = proxy.start(*purpose)?;
                Ok(OpenedStream { stream: Box::new(stream), proxy_exit: Some(proxy_exit) })
            }
        }
    }

    /// Returns the name of the other side for error messages.
    pub(super) fn peer_name(&self, target: &Target) -> String {
        match self {
            Self::Tcp | Self::Gateway(_) => format!("{} port {}", target.address, target.port),
            Self::Proxy(proxy) => format!("`{}`", proxy.line()),
        }
    }

    /// Ends the local processes of the streams, and waits for them. Gateways are shared and are
    /// closed by the dialer.
    pub(super) async fn close(&self) {
        match self {
            Self::Tcp | Self::Gateway(_) => {}
            Self::Proxy(proxy) => proxy.close().await,
        }
    }
}

/// Returns the session of a gateway. Boxed, because a gateway may itself have a gateway.
fn gateway_session<'a>(
    gateway: &'a Arc<dyn GatewaySession>,
    target: &'a Target,
) -> BoxFuture<'a, Result<Arc<Session>>> {
    async move {
        Arc::clone(gateway).session().await.map_err(|source| {
            let text = format!("could not connect through its gateway {}", gateway.host());
            Error::new(source.kind(), text).on(&target.host).caused_by(source)
        })
    }
    .boxed()
}

fn gateway_error(gateway: &dyn GatewaySession, target: &Target, source: russh::Error) -> Error {
    let Target { host, address, port, .. } = target;
    let prohibited = matches!(source, russh::Error::ChannelOpenFailure(AdministrativelyProhibited));
    let text = format!("the gateway {} could not connect to {address} port {port}", gateway.host());
    let error = Error::new(ErrorKind::Connect, text).on(host).with_address(address).caused_by(source);
    if prohibited {
        error.hint("allow it in the sshd_config of the gateway: `AllowTcpForwarding` and `PermitOpen`")
    } else {
        error
    }
}
