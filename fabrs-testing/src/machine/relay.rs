//! Relay: connections from loopback into the network of machines, and from machines to one server
//! outside.
//!
//! The listener is bound in the client's network. The relay thread connects from the target's
//! network. Therefore no interface, route or firewall rule of the host changes, and no packet for a
//! dead machine can leave through another interface of the host.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lan::Lan;
use crate::wait::poll;

/// The time limit of one attempt to connect.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(1);
/// The time limit for the connection to the target. A client gives up earlier.
const CONNECT_LIMIT: Duration = Duration::from_mins(10);

/// A port in one network with connections to one address in another network. Ends on drop.
///
/// A client of a machine's port sees two differences from a direct connection:
///
/// - A refused connection is accepted and then reset.
/// - A connection to a machine without power or cable is accepted and stays silent.
#[derive(Debug)]
pub(super) struct PortRelay {
    addr: SocketAddr,
    listens_in: ListenerNetwork,
    shared: Arc<RelayState>,
    acceptor: Option<JoinHandle<()>>,
}

/// The network of a listener.
#[derive(Debug, Clone)]
enum ListenerNetwork {
    /// The network of the test.
    Host,
    /// The network of the machines.
    Machines(Lan),
}

impl ListenerNetwork {
    /// Runs a function on a thread in this network.
    fn run<T: Send + 'static>(&self, function: impl FnOnce() -> T + Send + 'static) -> T {
        let network = self.clone();
        let thread = thread::spawn(move || {
            if let Self::Machines(lan) = network {
                lan.enter();
            }
            function()
        });
        thread.join().expect("the network exists until drop")
    }
}

#[derive(Debug, Default)]
struct RelayState {
    is_closing: AtomicBool,
    /// The sockets of open connections.
    sockets: Mutex<Vec<Weak<TcpStream>>>,
}

impl RelayState {
    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    fn add(&self, socket: TcpStream) -> Arc<TcpStream> {
        let socket = Arc::new(socket);
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(&socket));
        drop(sockets);
        if self.is_closing() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        socket
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        let sockets = std::mem::take(&mut *self.sockets.lock().unwrap_or_else(PoisonError::into_inner));
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            // The call fails if the peer has closed the connection already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl PortRelay {
    /// Starts a relay to `target`, an address in the network of the machines.
    ///
    /// # Panics
    ///
    /// If loopback has no free port.
    pub(super) fn start(lan: &Lan, target: SocketAddr) -> Self {
        let lan = lan.clone();
        let enter_lan = move || lan.enter();
        Self::spawn(ListenerNetwork::Host, (Ipv4Addr::LOCALHOST, 0).into(), enter_lan, target)
    }

    /// Starts a relay from a port of the bridge to `target`, an address outside.
    ///
    /// # Panics
    ///
    /// If the port is in use.
    pub(super) fn to_outside(lan: &Lan, port: u16, target: SocketAddr) -> Self {
        let network = ListenerNetwork::Machines(lan.clone());
        Self::spawn(network, (lan.bridge_address(), port).into(), || {}, target)
    }

    fn spawn(
        listens_in: ListenerNetwork,
        listen: SocketAddr,
        enter_target_network: impl FnOnce() + Send + 'static,
        target: SocketAddr,
    ) -> Self {
        let listener = listens_in.run(move || TcpListener::bind(listen)).expect("the port is free");
        let addr = listener.local_addr().expect("the socket is bound");
        let shared = Arc::new(RelayState::default());
        let for_thread = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            enter_target_network();
            accept(&listener, &for_thread, target);
        });
        Self { addr, listens_in, shared, acceptor: Some(acceptor) }
    }

    /// Returns the address of the listener.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for PortRelay {
    fn drop(&mut self) {
        self.shared.close();
        // Another connection wakes the accepting thread.
        let addr = self.addr;
        let _connection = self.listens_in.run(move || TcpStream::connect(addr));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of the thread has failed the test already.
            let _ = acceptor.join();
        }
    }
}

/// Accepts connections until the relay is dropped.
fn accept(listener: &TcpListener, shared: &Arc<RelayState>, target: SocketAddr) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    while let Ok((client, _)) = listener.accept() {
        if shared.is_closing() {
            break;
        }
        connections.retain(|connection| !connection.is_finished());
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || serve(&shared, client, target)));
    }
    for connection in connections {
        // A panic of the thread has failed the test already.
        let _ = connection.join();
    }
}

/// Connects to the target and copies both directions.
fn serve(shared: &RelayState, client: TcpStream, target: SocketAddr) {
    let client = shared.add(client);
    let Some(machine) = connect(shared, &client, target) else { return };
    let machine = shared.add(machine);
    for socket in [&client, &machine] {
        // The call fails only on a closed socket. The first read or write reports the error.
        let _ = socket.set_nodelay(true);
    }
    thread::scope(|scope| {
        scope.spawn(|| copy(&client, &machine));
        copy(&machine, &client);
    });
}

/// Connects to the target. Tries again while the target is unreachable and the client waits.
fn connect(shared: &RelayState, client: &TcpStream, target: SocketAddr) -> Option<TcpStream> {
    poll(CONNECT_LIMIT, || match TcpStream::connect_timeout(&target, ATTEMPT_LIMIT) {
        Ok(machine) => Some(Some(machine)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            reset(client);
            Some(None)
        }
        Err(_) => (shared.is_closing() || has_closed(client)).then_some(None),
    })
    .flatten()
}

/// Copies one direction to its end, and passes on the end of file or the reset.
fn copy(from: &TcpStream, to: &TcpStream) {
    let (mut reader, mut writer) = (from, to);
    if io::copy(&mut reader, &mut writer).is_ok() {
        // The call fails if the peer has closed the connection already.
        let _ = to.shutdown(Shutdown::Write);
    } else {
        reset(from);
        reset(to);
    }
}

/// Sets the linger time to zero, so the close of the socket sends a reset (socket(7)).
fn reset(socket: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
    // Wakes the reading thread and sends no packet.
    let _ = socket.shutdown(Shutdown::Read);
}

/// Returns `true` if the client has closed its connection.
fn has_closed(client: &TcpStream) -> bool {
    let peek = || -> io::Result<usize> {
        client.set_nonblocking(true)?;
        let count = client.peek(&mut [0]);
        client.set_nonblocking(false)?;
        count
    };
    match peek() {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}
