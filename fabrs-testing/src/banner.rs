//! Banner check: the first bytes of an SSH server.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The time limit for the banner of an accepted connection.
const BANNER_LIMIT: Duration = Duration::from_secs(30);

/// Returns `true` if an SSH server sends its banner.
pub(crate) fn sends_banner(address: &SocketAddr) -> bool {
    let banner = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(BANNER_LIMIT))?;
        let mut start = [0; 4];
        stream.read_exact(&mut start)?;
        Ok(&start == b"SSH-")
    };
    banner().unwrap_or(false)
}
