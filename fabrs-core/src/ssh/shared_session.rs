//! The shared session of a host: connected on demand, once for all commands and tunnels.

use std::fmt;
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use russh::client::{self, Handle};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::io::{InspectReader, InspectWriter};

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::ssh::agent::forwarding::AgentForwarding;
use crate::ssh::connector::{Connector, GatewaySession, OpenedStream};
use crate::ssh::descriptor_budget::{CloseIdle, Reservation};
use crate::ssh::handler::{Handler, SessionError};
use crate::ssh::handshake_state::HandshakeState;
use crate::ssh::host_key::HostKeyVerifier;
use crate::ssh::login::log_in::log_in;
use crate::ssh::proxy::ProxyExitReceiver;
use crate::ssh::server_id;
use crate::ssh::session::Session;
use crate::ssh::settings::SshSettings;
use crate::ssh::target::Target;

/// The maximum number of packets queued for a channel. A small number is enough, because the
/// channel is always read.
const CHANNEL_QUEUE_PACKETS: usize = 32;
/// The maximum number of attempts if the server closes the connection before its identification, as
/// sshd does with more pending logins than its `MaxStartups` allows. The delay between two attempts
/// doubles up to the maximum.
const MAX_HANDSHAKE_ATTEMPTS: u32 = 8;
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_millis(800);

/// A host, its connector, and its session while connected.
pub(super) struct SharedSession {
    target: Arc<Target>,
    connector: Connector,
    settings: Arc<SshSettings>,
    last: Mutex<LastConnect>,
    /// The number of failed attempts.
    failures: AtomicU64,
}

/// The result of the last attempt to connect.
#[derive(Default)]
struct LastConnect {
    result: Option<Result<Arc<Session>>>,
    /// The reserved descriptors of the session.
    reservation: Option<Reservation>,
}

impl SharedSession {
    pub(super) fn new(target: Target, connector: Connector, settings: Arc<SshSettings>) -> Self {
        Self { target: Arc::new(target), connector, settings, last: Mutex::default(), failures: AtomicU64::new(0) }
    }

    /// Returns the session. Connects if there is no session. Concurrent callers wait for the same
    /// attempt.
    ///
    /// While a caller holds the session, it is in use and not closed in favour of another host.
    pub(super) async fn session(self: &Arc<Self>) -> Result<Arc<Session>> {
        let failures = self.failures.load(Ordering::Relaxed);
        let mut last = self.last.lock().await;
        match &last.result {
            Some(Ok(session)) if !session.is_closed() => {
                if let Some(reservation) = &last.reservation {
                    reservation.mark_used();
                }
                return Ok(Arc::clone(session));
            }
            // The attempt failed while this caller waited. A hundred hosts behind an unreachable
            // gateway must not retry one by one.
            Some(Err(error)) if self.failures.load(Ordering::Relaxed) != failures => return Err(error.clone()),
            _ => {}
        }
        last.reservation = None;
        let reservation = self.reserve().await;
        let result = self.connect().await;
        if result.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.connector.close().await;
        }
        let reservation = reservation.filter(|_| result.is_ok());
        *last = LastConnect { result: Some(result.clone()), reservation };
        result
    }

    /// Reserves the descriptors of the session, if it needs any. May close idle sessions.
    async fn reserve(self: &Arc<Self>) -> Option<Reservation> {
        let count = self.connector.descriptor_count();
        let this: Weak<Self> = Arc::downgrade(self);
        if count == 0 { None } else { Some(self.settings.descriptors.reserve(count, this).await) }
    }

    pub(super) async fn close(&self) {
        // The lock is held until everything is closed, so a new connection waits.
        let mut last = self.last.lock().await;
        self.end(&mut last).await;
    }

    /// Closes the session and its local processes, then releases the descriptors.
    async fn end(&self, last: &mut LastConnect) {
        let LastConnect { result, reservation } = mem::take(last);
        if let Some(Ok(session)) = result {
            session.close().await;
        }
        self.connector.close().await;
        drop(reservation);
    }

    async fn connect(&self) -> Result<Arc<Session>> {
        self.connector.prepare(&self.target).await?;
        let mut state = HandshakeState { agent_forwarding: self.agent_forwarding(), ..HandshakeState::default() };
        let mut handle = self.handshake(&state).await?;
        if let Some(forwarding) = &state.agent_forwarding {
            forwarding.bind(handle.agent_session_binding());
        }
        let has_changed_key = state.has_changed_key();
        if has_changed_key && state.agent_forwarding.take().is_some() {
            // As in ssh: another machine could use the agent.
            let text = "agent forwarding is off: the host key differs from the key in known_hosts";
            self.settings.warn_once_about(&self.target.host, text);
        }
        log_in(&mut handle, &self.target, &self.settings, has_changed_key).await?;
        Ok(Session::new(handle, state, Arc::clone(&self.target)))
    }

    /// Connects and exchanges keys within the connect timeout. The time of a prompt does not count
    /// towards the timeout.
    async fn handshake(&self, state: &HandshakeState) -> Result<Handle<Handler>> {
        let mut deadline = Instant::now() + self.target.connect_timeout;
        let mut attempt = pin!(self.handshake_with_retries(state));
        loop {
            tokio::select! {
                result = &mut attempt => return result,
                () = tokio::time::sleep_until(deadline) => {}
            }
            if !state.key_check.is_prompting.load(Ordering::Relaxed) {
                let peer_name = self.connector.peer_name(&self.target);
                let text = format!("no answer from {peer_name} within {:?}", self.target.connect_timeout);
                return Err(self.error(ErrorKind::Connect, text).hint("to wait longer, use `-t SECONDS`"));
            }
            // A prompt about the host key is open.
            deadline = Instant::now() + self.target.connect_timeout;
        }
    }

    async fn handshake_with_retries(&self, state: &HandshakeState) -> Result<Handle<Handler>> {
        let mut wait = FIRST_RETRY_DELAY;
        for _ in 1..MAX_HANDSHAKE_ATTEMPTS {
            match self.try_handshake(state).await {
                Err(HandshakeError::HungUp(_)) => {
                    sleep(wait.mul_f64(0.5 + f64::from(jitter()) / 256.0)).await;
                    wait = (wait * 2).min(MAX_RETRY_DELAY);
                }
                result => return result.map_err(HandshakeError::into_error),
            }
        }
        self.try_handshake(state).await.map_err(HandshakeError::into_error)
    }

    async fn try_handshake(&self, state: &HandshakeState) -> Result<Handle<Handler>, HandshakeError> {
        let host_keys =
            HostKeyVerifier::new(Arc::clone(&self.target), Arc::clone(&self.settings), Arc::clone(&state.key_check));
        let handler = Handler::new(
            host_keys,
            Arc::clone(&state.disconnected),
            state.agent_forwarding.clone(),
            self.target.keepalive_max,
        );
        let config = Arc::new(self.client_config().map_err(HandshakeError::Failed)?);
        let OpenedStream { stream, proxy_exit } =
            self.connector.open(&self.target).await.map_err(HandshakeError::Failed)?;
        let stream = InspectReader::new(stream, server_id::server_id_reader(Arc::clone(&state.server_id)));
        let send_budget = Arc::clone(&state.send_budget);
        let stream = InspectWriter::new(stream, move |_: &[u8]| send_budget.mark_written());
        match client::connect_stream(config, stream, handler).await {
            Ok(handle) => Ok(handle),
            Err(SessionError::HostKey(error)) => Err(HandshakeError::Failed(error)),
            Err(SessionError::Protocol(source)) => Err(self.handshake_error(source, proxy_exit).await),
        }
    }

    /// Returns the error of a failed handshake. The exit of a `ProxyCommand` explains more than the
    /// protocol error.
    async fn handshake_error(&self, source: russh::Error, proxy_exit: Option<ProxyExitReceiver>) -> HandshakeError {
        let ended = match proxy_exit {
            Some(proxy_exit) => proxy_exit.own_exit().await,
            None => None,
        };
        if let Some(ended) = ended {
            let hung_up = ended.is_server_hangup();
            let error = self.error(ErrorKind::Connect, "could not connect by its ProxyCommand".to_owned());
            let error = error.caused_by(ended);
            return if hung_up { HandshakeError::HungUp(error) } else { HandshakeError::Failed(error) };
        }
        let hung_up = matches!(source, russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_));
        if hung_up {
            let text = "the server closed the connection before the key exchange".to_owned();
            return HandshakeError::HungUp(self.error(ErrorKind::Connect, text).caused_by(source));
        }
        let text = "SSH key exchange failed".to_owned();
        let no_algorithm = matches!(source, russh::Error::NoCommonAlgo { .. });
        let error = self.error(ErrorKind::Connect, text).caused_by(source);
        HandshakeError::Failed(if no_algorithm {
            error.hint("add an algorithm of the server in the ssh config: `KexAlgorithms +NAME`, `Ciphers +NAME`, `MACs +NAME` or `HostKeyAlgorithms +NAME`")
        } else {
            error
        })
    }

    /// Returns the forwarding of the local agent, if the host may use the agent.
    fn agent_forwarding(&self) -> Option<Arc<AgentForwarding>> {
        let Target { host, forwarded_agent, .. } = &*self.target;
        let socket = forwarded_agent.clone()?;
        Some(AgentForwarding::new(host.clone(), socket, Arc::clone(&self.settings)))
    }

    fn client_config(&self) -> Result<client::Config> {
        let name = &self.target.host_key_policy.name;
        let known = self.settings.known_hosts(&self.target.host_key_policy.files);
        let known = known.map_err(|error| error.on(&self.target.host))?;
        let preferred = self.target.algorithms.preferred(&known.algorithms_for(name), known.has_marked_entries(name));
        Ok(client::Config {
            window_size: self.connector.channel_window(),
            channel_buffer_size: CHANNEL_QUEUE_PACKETS,
            keepalive_interval: self.target.keepalive,
            keepalive_max: self.target.keepalive_max,
            nodelay: true,
            preferred: preferred.map_err(|error| error.on(&self.target.host))?,
            gex: gex(),
            ..client::Config::default()
        })
    }

    fn error(&self, kind: ErrorKind, text: String) -> Error {
        Error::new(kind, text).on(&self.target.host).with_address(&self.target.address)
    }
}

impl GatewaySession for SharedSession {
    fn host(&self) -> &Host {
        &self.target.host
    }

    fn session(self: Arc<Self>) -> BoxFuture<'static, Result<Arc<Session>>> {
        async move { Self::session(&self).await }.boxed()
    }
}

impl CloseIdle for SharedSession {
    fn close_if_idle(&self) -> BoxFuture<'_, bool> {
        async {
            // A connecting caller holds the lock.
            let Ok(mut last) = self.last.try_lock() else { return false };
            // Commands and tunnels hold the session. The lock excludes new ones.
            let is_idle = matches!(&last.result, Some(Ok(session)) if Arc::strong_count(session) == 1);
            if is_idle {
                self.end(&mut last).await;
            }
            is_idle
        }
        .boxed()
    }
}

/// The error of a handshake.
enum HandshakeError {
    /// The server closed the connection before its identification. It may have too many pending
    /// logins.
    HungUp(Error),
    Failed(Error),
}

impl HandshakeError {
    fn into_error(self) -> Error {
        match self {
            Self::HungUp(error) | Self::Failed(error) => error,
        }
    }
}

/// Returns the minimum, preferred and maximum size of a negotiated group in bits (RFC 4419 §3). The
/// preferred size is as strong as the ciphers. A group of 8192 bits costs about twenty times as
/// much.
fn gex() -> client::GexParams {
    client::GexParams::new(2048, 3072, 8192).unwrap_or_default()
}

/// Returns a random byte to spread the retries of hosts failing at the same time.
fn jitter() -> u8 {
    let mut byte = [128];
    // Without random bytes all hosts retry at the same time, and more attempts are needed.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

impl fmt::Debug for SharedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSession").field("host", &self.target.host).finish_non_exhaustive()
    }
}
