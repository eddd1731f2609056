//! SSH server on loopback with one host key and one accepted client key.

use std::ffi::OsString;
use std::io::stdout;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PublicKey;
use russh::{MethodKind, MethodSet, SshId, server};
use tokio_util::task::TaskTracker;

use super::connection::ClientHandler;
use super::keys;
use crate::helper::process::parse_argument;
use crate::protocol::{HostSettings, StartupMessage, send};
use crate::step_error::{StepContext, StepError};

/// Serves connections until the host ends.
pub(crate) fn run_server(mut arguments: Vec<OsString>) -> ExitCode {
    let Err(StepError { step, reason }) = start(arguments.pop());
    let _ = send(stdout(), &StartupMessage::Failed { step, reason });
    ExitCode::FAILURE
}

fn start(argument: Option<OsString>) -> Result<std::convert::Infallible, StepError> {
    let settings: HostSettings = parse_argument(argument).context("read the host settings")?;
    let client_key = PublicKey::from_openssh(&settings.client_key).context("read the client's key")?;
    let host_key = keys::generate()?;
    let public = host_key.public_key().to_openssh().context("serialize the host key")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on loopback")?;
    let port = listener.local_addr().context("read the port")?.port();
    listener.set_nonblocking(true).context("listen on loopback")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the async runtime")?;
    let config = Arc::new(server::Config {
        server_id: SshId::Standard(concat!("SSH-2.0-fabrs_", env!("CARGO_PKG_VERSION")).into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        keys: vec![host_key],
        // Failed logins need no delay, because an Ed25519 key cannot be guessed during the lifetime
        // of a host.
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        nodelay: true,
        ..server::Config::default()
    });
    send(stdout(), &StartupMessage::Listening { port, host_key: public }).context("report the start")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).context("listen on loopback")?;
        let tasks = TaskTracker::new();
        loop {
            // A failed accept affects one client, and the client can retry.
            let Ok((stream, peer)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let connection = ClientHandler::new(client_key.clone(), settings.users, peer, port, tasks.clone());
            let config = Arc::clone(&config);
            tasks.spawn(async move {
                if let Ok(running) = server::run_stream(config, stream, connection).await {
                    // The client reports the reason of a lost connection.
                    drop(running.await);
                }
            });
        }
    })
}
