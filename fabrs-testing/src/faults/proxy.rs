//! The proxy as a test sees it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::pump;
use super::state::{Cut, Direction, Link, Shared, Traffic};

/// A TCP proxy on loopback; it ends, with every connection through it, when dropped.
///
/// The chained methods may be used before the first connection; those on `&self` at any time.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy that passes on to `server`.
    ///
    /// # Panics
    ///
    /// If no port of loopback can be had.
    pub fn to(server: SocketAddr) -> Self {
        Self::start(Some(server))
    }

    /// Starts a server that accepts connections and never says a word.
    ///
    /// # Panics
    ///
    /// As [`Proxy::to`].
    pub fn silent() -> Self {
        Self::start(None)
    }

    fn start(server: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &theirs, server));
        Self { addr, shared, acceptor: Some(acceptor) }
    }

    /// Cuts the next connection that passes so many bytes in this direction, right after them.
    ///
    /// It happens once: connections after that one pass whole.
    pub fn cut_after(self, direction: Direction, bytes: u64, how: Cut) -> Self {
        self.shared.change(|state| state.way(direction).cut_after = Some((bytes, how)));
        self
    }

    /// Lets every byte of one direction arrive so much later; the throughput stays.
    pub fn delay(self, direction: Direction, delay: Duration) -> Self {
        self.shared.change(|state| state.way(direction).delay = delay);
        self
    }

    /// Lets every byte of both directions arrive so much later: a round trip takes twice that.
    pub fn delay_both(self, delay: Duration) -> Self {
        self.delay(Direction::ToServer, delay).delay(Direction::ToClient, delay)
    }

    /// Passes on at most so many bytes in one segment.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn chunks_of(self, bytes: usize) -> Self {
        assert!(bytes > 0, "a segment has at least one byte");
        self.shared.change(|state| state.chunk = Some(bytes));
        self
    }

    /// Ends every connection there is now.
    pub fn cut_now(&self, how: Cut) {
        let links = self.shared.change(|state| std::mem::take(&mut state.links));
        links.iter().filter_map(std::sync::Weak::upgrade).for_each(|link| link.cut(how));
        // Those that wait for a delay or the end of a stall look again.
        self.shared.change(|_| ());
    }

    /// Lets nothing pass any more, in either direction, on old connections and new ones.
    ///
    /// As when the other machine vanished: nobody closes anything, and what is sent is not refused.
    pub fn stall(&self) {
        self.shared.change(|state| state.stalled = true);
    }

    /// Lets pass again, first what was held back.
    pub fn resume(&self) {
        self.shared.change(|state| state.stalled = false);
    }

    /// Returns where to connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Returns how many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.look().accepted
    }

    /// Returns what has passed in one direction.
    pub fn traffic(&self, direction: Direction) -> Traffic {
        self.shared.look().way(direction).traffic
    }

    /// Returns how often the client spoke after the server had: with a delay, its round trips.
    pub fn round_trips(&self) -> usize {
        self.shared.look().round_trips
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(|state| state.closing = true);
        self.cut_now(Cut::Fin);
        // One more connection wakes the thread that accepts.
        let _woken = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            // If it panicked, the test has failed for that reason already.
            let _ended = acceptor.join();
        }
    }
}

/// Accepts until the proxy is dropped.
fn accept(listener: &TcpListener, shared: &Arc<Shared>, server: Option<SocketAddr>) {
    let mut pumps: Vec<JoinHandle<()>> = Vec::new();
    // Never read from, and open until the end.
    let mut ignored = Vec::new();
    while let Ok((client, _)) = listener.accept() {
        if shared.change(|state| {
            state.accepted += usize::from(!state.closing);
            state.closing
        }) {
            break;
        }
        let Some(server) = server else {
            ignored.push(client);
            continue;
        };
        // A server that refuses is passed on as a connection that ends at once.
        if let Ok(new) = connect(shared, client, server) {
            pumps.extend(new);
        }
        pumps.retain(|pump| !pump.is_finished());
    }
    for pump in pumps {
        // As in `drop`.
        let _ended = pump.join();
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream, server: SocketAddr) -> io::Result<Vec<JoinHandle<()>>> {
    let server = TcpStream::connect(server)?;
    let link = Arc::new(Link::new(client, server));
    let closing = shared.change(|state| {
        state.links.push(Arc::downgrade(&link));
        state.closing
    });
    if closing {
        link.cut(Cut::Fin);
    }
    let ways = [Direction::ToServer, Direction::ToClient];
    Ok(ways.iter().flat_map(|way| pump::start(shared, &link, *way)).collect())
}
