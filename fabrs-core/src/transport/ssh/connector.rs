//! How a stream to a host is made: over TCP, through a gateway, or by a command of this machine.

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use russh::ChannelOpenFailure::AdministrativelyProhibited;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::transport::ssh::proxy::{Ending, Proxy};
use crate::transport::ssh::relay;
use crate::transport::ssh::session::Session;
use crate::transport::ssh::target::Target;
use crate::transport::ssh::tcp;

/// The window of a channel over TCP, in bytes: at 20 ms it takes 16 MiB for 800 MB/s. What comes is always drained, so that it
/// costs no memory.
const WINDOW: u32 = 16 << 20;

/// The way to a host.
#[derive(Debug)]
pub(super) enum Way {
    /// To its address and port.
    Tcp,
    /// Through the session of another host.
    Gateway(Arc<dyn GatewaySession>),
    /// By its `ProxyCommand`.
    Proxy(Proxy),
}

/// The session of a gateway, connected when it is needed.
pub(super) trait GatewaySession: fmt::Debug + Send + Sync {
    /// Returns the gateway.
    fn host(&self) -> &Host;

    /// Returns the session, connecting where there is none.
    fn session(self: Arc<Self>) -> BoxFuture<'static, Result<Arc<Session>>>;
}

/// What a session speaks over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream to a host, and what makes it, where that can end before it.
pub(super) struct Opened {
    pub(super) stream: Box<dyn Stream>,
    pub(super) ending: Option<Ending>,
}

impl Way {
    /// Does what takes time that is not the host's: reaching its gateway, with a person who is asked for it.
    pub(super) async fn prepare(&self, target: &Target) -> Result<()> {
        match self {
            Self::Gateway(gateway) => reach(gateway, target).await.map(drop),
            Self::Tcp | Self::Proxy(_) => Ok(()),
        }
    }

    /// Returns the window of a channel: the number of bytes that a server may send before it hears that they were read.
    pub(super) fn window(&self) -> u32 {
        match self {
            Self::Tcp => WINDOW,
            Self::Gateway(_) | Self::Proxy(_) => relay::WINDOW,
        }
    }

    /// Returns how many descriptors a link by this way has open, at most: with the socket of the agent while logging in.
    pub(super) fn descriptors(&self) -> usize {
        match self {
            Self::Tcp => 2,
            // Its three pipes and, on Linux, the process.
            Self::Proxy(_) => 5,
            // The stream is a channel of the gateway's link.
            Self::Gateway(_) => 0,
        }
    }

    /// Makes a stream to the host.
    pub(super) async fn open(&self, target: &Target) -> Result<Opened> {
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
                Ok(Opened { stream: Box::new(stream), ending: None })
            }
            Self::Gateway(gateway) => {
                let session = reach(gateway, target).await?;
                let opened = session.tunnel(address, *port, *purpose).await;
                let stream = opened.map_err(|source| not_passed_on(&**gateway, target, source))?;
                Ok(Opened { stream: Box::new(stream), ending: None })
            }
            Self::Proxy(proxy) => {
                let (stream, ending) = proxy.start(*purpose)?;
                Ok(Opened { stream: Box::new(stream), ending: Some(ending) })
            }
        }
    }

    /// Returns who is to answer, as errors name it.
    pub(super) fn answering(&self, target: &Target) -> String {
        match self {
            Self::Tcp | Self::Gateway(_) => format!("{} port {}", target.address, target.port),
            Self::Proxy(proxy) => format!("`{}`", proxy.line()),
        }
    }

    /// Ends what runs on this machine for the streams that were made, and waits for it. A gateway is closed with all that
    /// are shared.
    pub(super) async fn end(&self) {
        match self {
            Self::Tcp | Self::Gateway(_) => {}
            Self::Proxy(proxy) => proxy.end().await,
        }
    }
}

/// Returns the session of the gateway. Boxed, since a gateway may have a gateway.
fn reach<'a>(gateway: &'a Arc<dyn GatewaySession>, target: &'a Target) -> BoxFuture<'a, Result<Arc<Session>>> {
    async move {
        Arc::clone(gateway).session().await.map_err(|source| {
            let text = format!("could not get through its gateway {}", gateway.host());
            Error::new(source.kind(), text).on(&target.host).caused_by(source)
        })
    }
    .boxed()
}

fn not_passed_on(gateway: &dyn GatewaySession, target: &Target, source: russh::Error) -> Error {
    let Target { host, address, port, .. } = target;
    let prohibited = matches!(source, russh::Error::ChannelOpenFailure(AdministrativelyProhibited));
    let text = format!("the gateway {} could not connect to {address} port {port}", gateway.host());
    let error = Error::new(ErrorKind::Connect, text).on(host).with_address(address).caused_by(source);
    if prohibited { error.hint("its sshd forbids it: see `AllowTcpForwarding` and `PermitOpen`") } else { error }
}
