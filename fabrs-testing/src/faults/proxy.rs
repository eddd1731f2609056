//! TCP proxy with faults.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::pump;
use super::state::{Cut, Direction, ProxiedConnection, SharedState, Traffic};

/// A TCP proxy on loopback. The proxy and all its connections end on drop.
///
/// Call the builder methods before the first connection. Methods on `&self` work at any time.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<SharedState>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of `server`.
    ///
    /// # Panics
    ///
    /// If loopback has no free port.
    pub fn to(server: SocketAddr) -> Self {
        Self::start(Some(server))
    }

    /// Starts a server that accepts connections and never sends data.
    ///
    /// # Panics
    ///
    /// See [`Proxy::to`].
    pub fn silent() -> Self {
        Self::start(None)
    }

    fn start(server: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let addr = listener.local_addr().expect("the socket is bound");
        let shared = Arc::new(SharedState::default());
        let for_thread = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &for_thread, server));
        Self { addr, shared, acceptor: Some(acceptor) }
    }

    /// Cuts one connection after `bytes` bytes in a direction. Later connections are not affected.
    pub fn cut_after(self, direction: Direction, bytes: u64, cut: Cut) -> Self {
        self.shared.update(|state| state.direction(direction).cut_after = Some((bytes, cut)));
        self
    }

    /// Delays all bytes of one direction. The throughput does not change.
    pub fn delay(self, direction: Direction, delay: Duration) -> Self {
        self.shared.update(|state| state.direction(direction).delay = delay);
        self
    }

    /// Delays all bytes of both directions. A round trip takes twice the delay.
    pub fn delay_both(self, delay: Duration) -> Self {
        self.delay(Direction::ToServer, delay).delay(Direction::ToClient, delay)
    }

    /// Limits the size of each segment, in bytes.
    ///
    /// # Panics
    ///
    /// If `bytes` is zero.
    pub fn chunks_of(self, bytes: usize) -> Self {
        assert!(bytes > 0, "a segment has at least one byte");
        self.shared.update(|state| state.chunk = Some(bytes));
        self
    }

    /// Cuts all open connections.
    pub fn cut_now(&self, cut: Cut) {
        let connections = self.shared.update(|state| std::mem::take(&mut state.connections));
        connections.iter().filter_map(std::sync::Weak::upgrade).for_each(|connection| connection.cut(cut));
        // Wakes the threads waiting for a delay or for the end of a stall.
        self.shared.update(|_| ());
    }

    /// Stops all traffic in both directions, on open and on new connections.
    ///
    /// The effect is like a vanished peer: connections stay open, and writes do not fail.
    pub fn stall(&self) {
        self.shared.update(|state| state.stalled = true);
    }

    /// Ends a stall. First sends the data held back during the stall.
    pub fn resume(&self) {
        self.shared.update(|state| state.stalled = false);
    }

    /// Returns the address of the proxy.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the port of the proxy.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Returns the number of accepted connections.
    pub fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Returns the traffic of one direction.
    pub fn traffic(&self, direction: Direction) -> Traffic {
        self.shared.lock().direction(direction).traffic
    }

    /// Returns the number of round trips. Each change from server data to client data counts as a
    /// round trip. The number is exact only if the proxy delays the data.
    pub fn round_trips(&self) -> usize {
        self.shared.lock().round_trips
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.update(|state| state.closing = true);
        self.cut_now(Cut::Fin);
        // Another connection wakes the accepting thread.
        let _connection = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of the thread has failed the test already.
            let _ = acceptor.join();
        }
    }
}

/// Accepts connections until the proxy is dropped.
fn accept(listener: &TcpListener, shared: &Arc<SharedState>, server: Option<SocketAddr>) {
    let mut pumps: Vec<JoinHandle<()>> = Vec::new();
    // A silent server never reads from its connections, and keeps them open until drop.
    let mut ignored = Vec::new();
    while let Ok((client, _)) = listener.accept() {
        if shared.update(|state| {
            state.accepted += usize::from(!state.closing);
            state.closing
        }) {
            break;
        }
        let Some(server) = server else {
            ignored.push(client);
            continue;
        };
        // If the server refuses the connection, the connection of the client is closed.
        if let Ok(new) = connect(shared, client, server) {
            pumps.extend(new);
        }
        pumps.retain(|pump| !pump.is_finished());
    }
    for pump in pumps {
        // A panic of the thread has failed the test already.
        let _ = pump.join();
    }
}

fn connect(shared: &Arc<SharedState>, client: TcpStream, server: SocketAddr) -> io::Result<Vec<JoinHandle<()>>> {
    let server = TcpStream::connect(server)?;
    let connection = Arc::new(ProxiedConnection::new(client, server));
    let closing = shared.update(|state| {
        state.connections.push(Arc::downgrade(&connection));
        state.closing
    });
    if closing {
        connection.cut(Cut::Fin);
    }
    let directions = [Direction::ToServer, Direction::ToClient];
    Ok(directions.iter().flat_map(|direction| pump::start(shared, &connection, *direction)).collect())
}
