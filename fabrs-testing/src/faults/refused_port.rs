//! Port without a listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A port on loopback that refuses connections.
///
/// The port stays bound until drop. Another test could take a free port.
#[derive(Debug)]
pub struct RefusedPort {
    addr: SocketAddr,
    _socket: OwnedFd,
}

impl RefusedPort {
    /// Reserves a port.
    ///
    /// # Panics
    ///
    /// If loopback has no free port.
    pub fn reserve() -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket can be made");
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("loopback has a free port");
        let addr =
            getsockname(&socket).ok().and_then(|addr| addr.try_into().ok()).expect("the socket is bound to IPv4");
        Self { addr, _socket: socket }
    }

    /// Returns the refusing address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
