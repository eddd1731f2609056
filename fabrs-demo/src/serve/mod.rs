//! The SSH server of a host: on loopback, with a key of its own, for one key alone.

mod command;
mod connection;
mod pty;
mod session;
mod signals;

use std::ffi::OsString;
use std::io::stdout;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKey, key::safe_rng};
use russh::{MethodKind, MethodSet, SshId, server};
use tokio_util::task::TaskTracker;

use crate::stage::told;
use crate::words::{Failure, Setup, Told, Users, While, say};

use connection::Connection;

/// Serves until the host ends.
pub(crate) fn serve(mut arguments: Vec<OsString>) -> ExitCode {
    let Err(Failure { what, why }) = start(arguments.pop());
    let _ = say(stdout(), &Told::Failed { what, why });
    ExitCode::FAILURE
}

fn start(argument: Option<OsString>) -> Result<std::convert::Infallible, Failure> {
    let setup: Setup = told(argument).when("read what to be")?;
    let client_key = PublicKey::from_openssh(&setup.client_key).when("read the client's key")?;
    let host_key = new_key()?;
    let public = host_key.public_key().to_openssh().when("write the host's key")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).when("listen on loopback")?;
    let port = listener.local_addr().when("know its port")?.port();
    listener.set_nonblocking(true).when("listen on loopback")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().when("start its runtime")?;
    let config = Arc::new(server::Config {
        server_id: SshId::Standard(concat!("SSH-2.0-fabrs_", env!("CARGO_PKG_VERSION")).into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        keys: vec![host_key],
        // Whoever is on this machine may try; there is one key, and guessing it takes longer than the host lives.
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        nodelay: true,
        ..server::Config::default()
    });
    say(stdout(), &Told::Ready { port, host_key: public }).when("say that it is ready")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).when("listen on loopback")?;
        let tasks = TaskTracker::new();
        loop {
            // A connection that could not be taken is the client's to try again.
            let Ok((stream, peer)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let connection = Connection::new(client_key.clone(), setup.users, peer, port, tasks.clone());
            let config = Arc::clone(&config);
            tasks.spawn(async move {
                if let Ok(running) = server::run_stream(config, stream, connection).await {
                    // How a connection ended is for the client to tell.
                    drop(running.await);
                }
            });
        }
    })
}

/// Makes a key that lives as long as the host.
pub(crate) fn new_key() -> Result<PrivateKey, Failure> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).when("make a key")
}

/// Writes a private key as `ssh` reads it.
pub(crate) fn private_text(key: &PrivateKey) -> Result<String, Failure> {
    key.to_openssh(LineEnding::LF).map(|text| text.to_string()).when("write a key")
}

/// Whether `sudo` does anything for the account that one logs in as.
fn may_sudo(users: Users, uid: u32) -> bool {
    users == Users::Many && uid == crate::accounts::UID
}
