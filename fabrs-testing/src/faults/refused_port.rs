//! An address where nobody listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A port of loopback that refuses connections, and that nobody else can take while this lives.
///
/// A port that merely was free a moment ago may belong to another test by the time it is used.
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
    /// If no port of loopback can be had.
    pub fn reserve() -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket can be made");
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("loopback has a free port");
        let addr = getsockname(&socket).ok().and_then(|addr| addr.try_into().ok()).expect("it is bound to IPv4");
        Self { addr, _socket: socket }
    }

    /// Returns the address that refuses.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
