//! What a proxy was told to do, and what it has seen: shared by its threads.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// One of the two ways through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both ends read an end of file, as when a program closes its socket.
    Fin,
    /// Both ends get "connection reset by peer", as when a firewall forgets a connection.
    Reset,
}

/// What has passed in one direction, over all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The bytes that were passed on.
    pub bytes: u64,
    /// How many reads they came in: at most the segments on the wire, fewer if the proxy was late.
    pub segments: u64,
}

/// What one direction was told and has seen.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) delay: Duration,
    pub(super) traffic: Traffic,
    /// After how many bytes of a connection it is cut, and how; once only.
    pub(super) cut_after: Option<(u64, Cut)>,
}

/// All that the threads of a proxy share.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) accepted: usize,
    pub(super) chunk: Option<usize>,
    pub(super) closing: bool,
    pub(super) last: Option<Direction>,
    pub(super) links: Vec<Weak<Link>>,
    pub(super) stalled: bool,
    pub(super) to_client: Way,
    pub(super) to_server: Way,
    pub(super) round_trips: usize,
}

impl State {
    pub(super) fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    /// Notes that something arrived.
    pub(super) fn arrived(&mut self, direction: Direction) {
        if direction == Direction::ToServer && self.last != Some(direction) {
            self.round_trips += 1;
        }
        self.last = Some(direction);
        self.way(direction).traffic.segments += 1;
    }
}

/// The state, and the bell that is rung whenever it changes.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

impl Shared {
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment: a thread that panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.look());
        self.bell.notify_all();
        value
    }

    /// Sleeps until the state changes, or for this long.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Option<Duration>) -> MutexGuard<'a, State> {
        match limit {
            None => self.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let woken = self.bell.wait_timeout(state, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

/// The two sockets of one connection through the proxy.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
    cut: AtomicBool,
}

impl Link {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        Self { client, server, cut: AtomicBool::new(false) }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Ends it; the threads that hold it notice and let go.
    pub(super) fn cut(&self, how: Cut) {
        if self.cut.swap(true, Ordering::AcqRel) {
            return;
        }
        for socket in [&self.client, &self.server] {
            // Errors mean that this side has gone by itself.
            let _gone = match how {
                Cut::Fin => socket.shutdown(Shutdown::Both),
                Cut::Reset => {
                    // Closing with a linger of zero sends the reset; shutting down only our reading
                    // wakes the thread that reads, and sends nothing.
                    let _set = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
                    socket.shutdown(Shutdown::Read)
                }
            };
        }
    }
}
