//! A byte stream between a session and a task that relays its bytes to a gateway or a
//! `ProxyCommand`.
//!
//! russh does not read while it writes. The buffer towards the session therefore has room for the
//! windows of all open channels. The buffer from the session is small. An upload of a large file
//! uses up to six channels, and one more channel is opened in advance. If the host respects the
//! windows, the buffers then hold up to 57 MiB: seven windows of 8 MiB, and 1 MiB from the session.
//! If the host ignores the windows, the limit is the size of both buffers, 89 MiB.

use tokio::io::{DuplexStream, Join, duplex, join};

use crate::ssh::channel_slots::DEFAULT_MAX_SESSIONS;
use crate::ssh::target::Purpose;

/// The window of a channel over a relay in bytes: four times the window of OpenSSH. With 16 MiB, a
/// download over a fast network takes twice the time, because of the copies in the stream.
pub(super) const CHANNEL_WINDOW_BYTES: u32 = 8 << 20;
/// The maximum number of bytes queued for a session with commands.
const MAX_INWARD_BYTES: usize = (DEFAULT_MAX_SESSIONS + 1) * CHANNEL_WINDOW_BYTES as usize;
/// The maximum number of bytes queued for the session of a gateway. At the limit, the copy into
/// this session waits. Each channel of a gateway is a tunnel, and their number has no limit.
const MAX_GATEWAY_INWARD_BYTES: usize = 4 * MAX_INWARD_BYTES;
/// The maximum number of bytes queued from a session.
const MAX_OUTWARD_BYTES: usize = 1 << 20;

/// The side of the session.
pub(super) type SessionSide = Join<DuplexStream, DuplexStream>;

/// The side of the relay task. Dropping it closes the stream.
#[derive(Debug)]
pub(super) struct RelaySide {
    pub(super) from_session: DuplexStream,
    pub(super) to_session: DuplexStream,
}

/// Creates a stream for a session with a host of this purpose.
pub(super) fn relay_stream(purpose: Purpose) -> (SessionSide, RelaySide) {
    let max_inward_bytes = match purpose {
        Purpose::Work => MAX_INWARD_BYTES,
        Purpose::Gateway => MAX_GATEWAY_INWARD_BYTES,
    };
    // Each pair is used in one direction.
    let (read, to_session) = duplex(max_inward_bytes);
    let (write, from_session) = duplex(MAX_OUTWARD_BYTES);
    (join(read, write), RelaySide { from_session, to_session })
}
