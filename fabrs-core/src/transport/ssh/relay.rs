//! The stream of a session that has no socket: it goes through a gateway or a `ProxyCommand`.
//!
//! russh does not read while it writes. So the bytes for the session have room for all that its host may send meanwhile, which
//! are the windows of its open channels. The bytes of the session need little room. A put of a large file has seven channels at
//! most, so a host that keeps to the protocol takes at most 57 MiB. The limit for any other host is 89 MiB.

use tokio::io::{DuplexStream, Join, duplex, join};

use crate::transport::ssh::channel_slots::MAX_SESSIONS;
use crate::transport::ssh::target::Purpose;

/// The window of a channel of such a session, in bytes: four times that of OpenSSH. With 16 MiB, a get over a fast network takes
/// twice the time, since so much is copied in the stream.
pub(super) const WINDOW: u32 = 8 << 20;
/// The maximum number of bytes that wait for a session with commands.
const MAX_INWARDS: usize = (MAX_SESSIONS + 1) * WINDOW as usize;
/// The maximum number of bytes that wait for the session of a gateway, before its tunnel waits. Each of its channels is a tunnel,
/// and their number has no limit of its own.
const MAX_INWARDS_OF_GATEWAY: usize = 4 * MAX_INWARDS;
/// The maximum number of bytes of a session that wait for the network.
const MAX_OUTWARDS: usize = 1 << 20;

/// The session's side of the stream.
pub(super) type Near = Join<DuplexStream, DuplexStream>;

/// The side of the task that carries the bytes. Dropping it closes the stream.
#[derive(Debug)]
pub(super) struct Far {
    pub(super) from_session: DuplexStream,
    pub(super) to_session: DuplexStream,
}

/// Creates a stream for the session of a host with this purpose.
pub(super) fn pipe(purpose: Purpose) -> (Near, Far) {
    let max_inwards = match purpose {
        Purpose::Work => MAX_INWARDS,
        Purpose::Gateway => MAX_INWARDS_OF_GATEWAY,
    };
    // One direction of each is used.
    let (read, to_session) = duplex(max_inwards);
    let (write, from_session) = duplex(MAX_OUTWARDS);
    (join(read, write), Far { from_session, to_session })
}
