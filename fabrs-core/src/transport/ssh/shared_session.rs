//! The link to one host: connected when it is needed, once for all that need it.

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
use crate::transport::ssh::connector::{GatewaySession, Opened, Way};
use crate::transport::ssh::descriptor_budget::{CloseIdle, Reservation};
use crate::transport::ssh::handler::{Ended, Gone, Handler};
use crate::transport::ssh::host_key::{HostKeys, KeyCheck};
use crate::transport::ssh::login::log_in::log_in;
use crate::transport::ssh::proxy::Ending;
use crate::transport::ssh::send_budget::Outflow;
use crate::transport::ssh::server_id::{self, Server};
use crate::transport::ssh::session::Session;
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::target::Target;

/// How many packets of one channel may wait for its pump; the pump always empties it, so few are enough.
const QUEUE: usize = 32;
/// How often, after how long at first and at most, a server that hung up before its greeting is tried again: sshd does
/// so when more log in at once than its `MaxStartups`.
const GREETING_TRIES: u32 = 8;
const GREETING_WAIT: Duration = Duration::from_millis(100);
const GREETING_WAIT_MAX: Duration = Duration::from_millis(800);

/// What a handler and a stream find out, and the session then knows.
#[derive(Debug, Default)]
struct Notes {
    gone: Arc<Gone>,
    check: Arc<KeyCheck>,
    server: Server,
    outflow: Arc<Outflow>,
}

/// A host, the way to it, and the session to it while there is one.
pub(super) struct Link {
    target: Arc<Target>,
    way: Way,
    settings: Arc<SshSettings>,
    last: Mutex<LastAttempt>,
    /// How many attempts have failed.
    failures: AtomicU64,
}

/// What came of the last attempt to connect.
#[derive(Default)]
struct LastAttempt {
    result: Option<Result<Arc<Session>>>,
    /// The descriptors of the session.
    reservation: Option<Reservation>,
}

impl Link {
    pub(super) fn new(target: Target, way: Way, settings: Arc<SshSettings>) -> Self {
        Self { target: Arc::new(target), way, settings, last: Mutex::default(), failures: AtomicU64::new(0) }
    }

    /// Returns the session, connecting where there is none; others that ask meanwhile wait for the same.
    ///
    /// While the session is held, the link is in use and not closed for another.
    pub(super) async fn session(self: &Arc<Self>) -> Result<Arc<Session>> {
        let failures = self.failures.load(Ordering::Relaxed);
        let mut last = self.last.lock().await;
        match &last.result {
            Some(Ok(session)) if !session.is_closed() => {
                if let Some(reservation) = &last.reservation {
                    reservation.note_use();
                }
                return Ok(Arc::clone(session));
            }
            // It failed while this one waited: a hundred hosts behind a dead gateway must not try it one by one.
            Some(Err(error)) if self.failures.load(Ordering::Relaxed) != failures => return Err(error.clone()),
            _ => {}
        }
        last.reservation = None;
        let reservation = self.reserve().await;
        let result = self.connect().await;
        if result.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.way.end().await;
        }
        let reservation = reservation.filter(|_| result.is_ok());
        *last = LastAttempt { result: Some(result.clone()), reservation };
        result
    }

    /// Reserves the descriptors of this link, if it needs any. Idle links may be closed for that.
    async fn reserve(self: &Arc<Self>) -> Option<Reservation> {
        let count = self.way.descriptors();
        let this: Weak<Self> = Arc::downgrade(self);
        if count == 0 { None } else { Some(self.settings.descriptors.reserve(count, this).await) }
    }

    pub(super) async fn close(&self) {
        // Held until all is ended: who connects anew meanwhile waits.
        let mut last = self.last.lock().await;
        self.end(&mut last).await;
    }

    /// Ends the session and what runs on this machine for it, then gives its descriptors back.
    async fn end(&self, last: &mut LastAttempt) {
        let LastAttempt { result, reservation } = mem::take(last);
        if let Some(Ok(session)) = result {
            session.close().await;
        }
        self.way.end().await;
        drop(reservation);
    }

    async fn connect(&self) -> Result<Arc<Session>> {
        self.way.prepare(&self.target).await?;
        let notes = Notes::default();
        let mut handle = self.greet(&notes).await?;
        let mistrusted = notes.check.mistrusted.load(Ordering::Relaxed);
        log_in(&mut handle, &self.target, &self.settings, mistrusted).await?;
        Ok(Session::new(handle, notes.gone, &notes.server, notes.outflow, Arc::clone(&self.target), mistrusted))
    }

    /// Reaches the server and agrees on keys with it, within the connect timeout.
    async fn greet(&self, notes: &Notes) -> Result<Handle<Handler>> {
        let mut deadline = Instant::now() + self.target.connect_timeout;
        let mut attempt = pin!(self.greet_again(notes));
        loop {
            tokio::select! {
                result = &mut attempt => return result,
                () = tokio::time::sleep_until(deadline) => {}
            }
            if !notes.check.asking.load(Ordering::Relaxed) {
                let answering = self.way.answering(&self.target);
                let text = format!("no answer from {answering} within {:?}", self.target.connect_timeout);
                return Err(self.error(ErrorKind::Connect, text).hint("to wait longer, use `-t SECONDS`"));
            }
            // A person is thinking about the host's key.
            deadline = Instant::now() + self.target.connect_timeout;
        }
    }

    async fn greet_again(&self, notes: &Notes) -> Result<Handle<Handler>> {
        let mut wait = GREETING_WAIT;
        for _ in 1..GREETING_TRIES {
            match self.greet_once(notes).await {
                Err(Greeting::HungUp(_)) => {
                    sleep(wait.mul_f64(0.5 + f64::from(chance()) / 256.0)).await;
                    wait = (wait * 2).min(GREETING_WAIT_MAX);
                }
                result => return result.map_err(Greeting::into_error),
            }
        }
        self.greet_once(notes).await.map_err(Greeting::into_error)
    }

    async fn greet_once(&self, notes: &Notes) -> Result<Handle<Handler>, Greeting> {
        let host_keys = HostKeys::new(Arc::clone(&self.target), Arc::clone(&self.settings), Arc::clone(&notes.check));
        let handler = Handler::new(host_keys, Arc::clone(&notes.gone), self.target.keepalive_max);
        let config = Arc::new(self.protocol().map_err(Greeting::Failed)?);
        let Opened { stream, ending } = self.way.open(&self.target).await.map_err(Greeting::Failed)?;
        let stream = InspectReader::new(stream, server_id::listener(Arc::clone(&notes.server)));
        let outflow = Arc::clone(&notes.outflow);
        let stream = InspectWriter::new(stream, move |_: &[u8]| outflow.note_written());
        match client::connect_stream(config, stream, handler).await {
            Ok(handle) => Ok(handle),
            Err(Ended::HostKey(error)) => Err(Greeting::Failed(error)),
            Err(Ended::Protocol(source)) => Err(self.not_greeted(source, ending).await),
        }
    }

    /// Says why a server was not greeted: what carried the stream may have ended, and knows more than the protocol.
    async fn not_greeted(&self, source: russh::Error, ending: Option<Ending>) -> Greeting {
        let ended = match ending {
            Some(ending) => ending.by_itself().await,
            None => None,
        };
        if let Some(ended) = ended {
            let hung_up = ended.is_by_server();
            let error = self.error(ErrorKind::Connect, "could not connect by its ProxyCommand".to_owned());
            let error = error.caused_by(ended);
            return if hung_up { Greeting::HungUp(error) } else { Greeting::Failed(error) };
        }
        let hung_up = matches!(source, russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_));
        if hung_up {
            let text = "the server hung up before it was agreed on how to speak".to_owned();
            return Greeting::HungUp(self.error(ErrorKind::Connect, text).caused_by(source));
        }
        let text = "the server did not agree on how to speak".to_owned();
        let no_algorithm = matches!(source, russh::Error::NoCommonAlgo { .. });
        let error = self.error(ErrorKind::Connect, text).caused_by(source);
        Greeting::Failed(if no_algorithm {
            error.hint("a list of the ssh config adds one: `KexAlgorithms +NAME`, `Ciphers +NAME`, `MACs +NAME`, `HostKeyAlgorithms +NAME`")
        } else {
            error
        })
    }

    fn protocol(&self) -> Result<client::Config> {
        let name = &self.target.trust.name;
        let known = self.settings.known_hosts(&self.target.trust.files);
        let known = known.map_err(|error| error.on(&self.target.host))?;
        let preferred = self.target.algorithms.preferred(&known.algorithms_for(name), known.has_marked_entries(name));
        Ok(client::Config {
            window_size: self.way.window(),
            channel_buffer_size: QUEUE,
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

impl GatewaySession for Link {
    fn host(&self) -> &Host {
        &self.target.host
    }

    fn session(self: Arc<Self>) -> BoxFuture<'static, Result<Arc<Session>>> {
        async move { Self::session(&self).await }.boxed()
    }
}

impl CloseIdle for Link {
    fn close_if_idle(&self) -> BoxFuture<'_, bool> {
        async {
            // Who connects holds the lock.
            let Ok(mut last) = self.last.try_lock() else { return false };
            // Commands and tunnels hold the session. The lock keeps new ones from getting it.
            let is_idle = matches!(&last.result, Some(Ok(session)) if Arc::strong_count(session) == 1);
            if is_idle {
                self.end(&mut last).await;
            }
            is_idle
        }
        .boxed()
    }
}

/// Why a server could not be greeted.
enum Greeting {
    /// It hung up before it said anything: it may have had too many logins at once.
    HungUp(Error),
    Failed(Error),
}

impl Greeting {
    fn into_error(self) -> Error {
        match self {
            Self::HungUp(error) | Self::Failed(error) => error,
        }
    }
}

/// Returns the sizes of a negotiated group in bits (RFC 4419 §3): as safe as the ciphers, and no larger, since a group of
/// 8192 bits costs some twenty times as much.
fn gex() -> client::GexParams {
    client::GexParams::new(2048, 3072, 8192).unwrap_or_default()
}

/// Returns a number by chance, so that hosts that were turned away together do not come back together.
fn chance() -> u8 {
    let mut byte = [128];
    // Without chance they come back together, and more of them have to try again.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("host", &self.target.host).finish_non_exhaustive()
    }
}
