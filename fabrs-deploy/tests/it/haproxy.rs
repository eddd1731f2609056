//! A real HAProxy for these tests, with its admin socket in a directory of the test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running HAProxy with the servers web1, web2 and web3 in the backend `shop`.
pub(crate) struct HaProxyServer {
    process: Child,
    socket: PathBuf,
    frontend: SocketAddr,
}

impl HaProxyServer {
    /// Starts HAProxy with a socket at a path. Each server has an address, with options such as
    /// `check`.
    pub(crate) fn start(socket: &Path, servers: &[(&str, String)]) -> Self {
        let frontend = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback");
        let servers =
            servers.iter().map(|(name, addr)| format!("    server {name} {addr}\n")).collect::<Vec<_>>().concat();
        let config = format!(
            "global\n    stats socket {} mode 666 level admin\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 5m\n    timeout server 5m\n\
             frontend web\n    bind {frontend}\n    default_backend shop\n\
             backend shop\n{servers}",
            socket.display()
        );
        fs::write(socket.with_extension("cfg"), config).expect("a writable directory");
        Self { process: spawn(socket), socket: socket.to_owned(), frontend }
    }

    /// Starts HAProxy again after its end, with the states of its configuration.
    pub(crate) fn restart(&mut self) {
        let _ = self.process.wait();
        self.process = spawn(&self.socket);
    }

    /// Returns the path of the admin socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns the address of the frontend.
    pub(crate) fn frontend(&self) -> SocketAddr {
        self.frontend
    }

    /// Sends a line to the admin socket.
    pub(crate) fn send(&self, line: &str) -> String {
        send(&self.socket, line)
    }

    /// Returns the names of all servers that receive no new clients.
    pub(crate) fn drained(&self) -> Vec<String> {
        drained_at(&self.socket)
    }
}

impl Drop for HaProxyServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the process of the configuration beside a socket, and waits for the socket.
fn spawn(socket: &Path) -> Child {
    let mut process = Command::new("haproxy")
        .arg("-db")
        .arg("-f")
        .arg(socket.with_extension("cfg"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("haproxy is installed: run scripts/test");
    while UnixStream::connect(socket).is_err() {
        assert_eq!(process.try_wait().expect("a child"), None, "haproxy runs");
        std::thread::yield_now();
    }
    process
}

/// Sends a line to an admin socket, and returns the response.
pub(crate) fn send(socket: &Path, line: &str) -> String {
    let mut socket = UnixStream::connect(socket).expect("haproxy runs");
    socket.write_all(format!("{line}\n").as_bytes()).expect("haproxy accepts a line");
    let mut response = String::new();
    socket.read_to_string(&mut response).expect("haproxy responds");
    response
}

/// Returns the names of all servers that receive no new clients.
pub(crate) fn drained_at(socket: &Path) -> Vec<String> {
    let response = send(socket, "show servers state shop");
    let fields = response.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields.get(1) == Some(&"shop") && fields.get(6) != Some(&"0"))
        .map(|fields| fields[3].to_owned())
        .collect()
}
