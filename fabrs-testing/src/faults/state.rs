//! Shared state of a proxy: the requested faults and the traffic.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A direction through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// The end of a cut connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both ends read an end of file, as after a normal close.
    Fin,
    /// Both ends get "connection reset by peer", as after a firewall has dropped its state.
    Reset,
}

/// The traffic of one direction over all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of bytes sent.
    pub bytes: u64,
    /// The number of reads by the proxy. If the proxy is slow, one read contains several segments.
    pub segments: u64,
}

/// The faults and the traffic of one direction.
#[derive(Debug, Default)]
pub(super) struct DirectionState {
    pub(super) delay: Duration,
    pub(super) traffic: Traffic,
    /// The number of bytes before a cut, and the kind of the cut. Applies to one connection.
    pub(super) cut_after: Option<(u64, Cut)>,
}

/// The data shared by the threads of a proxy.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) accepted: usize,
    pub(super) chunk: Option<usize>,
    pub(super) closing: bool,
    pub(super) last: Option<Direction>,
    pub(super) connections: Vec<Weak<ProxiedConnection>>,
    pub(super) stalled: bool,
    pub(super) to_client: DirectionState,
    pub(super) to_server: DirectionState,
    pub(super) round_trips: usize,
}

impl State {
    pub(super) fn direction(&mut self, direction: Direction) -> &mut DirectionState {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    /// Records a read.
    pub(super) fn record_read(&mut self, direction: Direction) {
        if direction == Direction::ToServer && self.last != Some(direction) {
            self.round_trips += 1;
        }
        self.last = Some(direction);
        self.direction(direction).traffic.segments += 1;
    }
}

/// The state with a condition variable for changes.
#[derive(Debug, Default)]
pub(super) struct SharedState {
    state: Mutex<State>,
    changed: Condvar,
}

impl SharedState {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is a single assignment, so a panicked thread leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_all();
        value
    }

    /// Waits for a change of the state, with an optional time limit.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Option<Duration>) -> MutexGuard<'a, State> {
        match limit {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let woken = self.changed.wait_timeout(state, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

/// The two sockets of a connection through the proxy.
#[derive(Debug)]
pub(super) struct ProxiedConnection {
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
    cut: AtomicBool,
}

impl ProxiedConnection {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        Self { client, server, cut: AtomicBool::new(false) }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Cuts the connection. The threads of the connection detect the cut and end.
    pub(super) fn cut(&self, cut: Cut) {
        if self.cut.swap(true, Ordering::AcqRel) {
            return;
        }
        for socket in [&self.client, &self.server] {
            // The call fails if the peer has closed the socket already.
            let _ = match cut {
                Cut::Fin => socket.shutdown(Shutdown::Both),
                Cut::Reset => {
                    // With a linger time of zero, the close sends a reset (socket(7)). Shutting
                    // down the read side wakes the reading thread and sends no packet.
                    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
                    socket.shutdown(Shutdown::Read)
                }
            };
        }
    }
}
