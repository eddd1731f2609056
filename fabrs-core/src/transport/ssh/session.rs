//! A live connection that is logged in: it opens channels, one of them ahead of need.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;
use crate::transport::command_channel::SecretWithheld;
use crate::transport::ssh::channel_slots::{Refusal, Slot, Slots};
use crate::transport::ssh::handler::{Gone, Handler};
use crate::transport::ssh::host_key::changed_key_hint;
use crate::transport::ssh::open_channel::{OpenChannel, Reply};
use crate::transport::ssh::relay::Near;
use crate::transport::ssh::send_budget::Outflow;
use crate::transport::ssh::server_id::{Identification, Server};
use crate::transport::ssh::target::{Purpose, Target};
use crate::transport::ssh::tunnel;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// A connection to one host, logged in.
pub(super) struct Session {
    handle: Handle<Handler>,
    gone: Arc<Gone>,
    outflow: Arc<Outflow>,
    passes_signals: bool,
    makes_groups: bool,
    start_reply: Reply,
    /// Whether another host key is on record, and checking is off: the host gets no secret.
    is_mistrusted: bool,
    target: Arc<Target>,
    slots: Arc<Slots>,
    /// Whether channels are opened ahead: not where a server is known to close them; given up at the first refusal, and
    /// where it closes one all the same.
    ahead: AtomicBool,
    spare: Mutex<Option<oneshot::Receiver<OpenChannel>>>,
    /// The tasks that open channels and close those nobody took, so that none outlives the session.
    tasks: TaskTracker,
}

/// Why a channel could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the server refused to open a session ({0:?})")]
struct OpenRefused(russh::ChannelOpenFailure);

/// Where the next command can go.
enum Room {
    Spare(OpenChannel),
    Place(Slot),
}

/// Why a place has no channel.
enum NotOpened {
    /// The server takes no more than are open.
    Full,
    /// It takes none at all.
    Never(russh::ChannelOpenFailure),
    /// The connection is gone.
    Lost,
}

impl Session {
    pub(super) fn new(
        handle: Handle<Handler>,
        gone: Arc<Gone>,
        server: &Server,
        outflow: Arc<Outflow>,
        target: Arc<Target>,
        is_mistrusted: bool,
    ) -> Arc<Self> {
        let keeps_idle_channels = server.get().is_some_and(Identification::keeps_idle_channels);
        let closes_idle_channels = server.get().is_some_and(Identification::closes_idle_channels);
        let passes_signals = target.user != "root" && server.get().is_some_and(Identification::passes_signals);
        Arc::new(Self {
            handle,
            gone,
            outflow,
            passes_signals,
            makes_groups: server.get().is_some_and(Identification::makes_groups),
            start_reply: if closes_idle_channels { Reply::Awaited } else { Reply::Later },
            is_mistrusted,
            target,
            // Where signals have to go another way, that has a place when all others are taken.
            slots: Slots::new(usize::from(!passes_signals)),
            ahead: AtomicBool::new(keeps_idle_channels),
            spare: Mutex::new(None),
            tasks: TaskTracker::new(),
        })
    }

    /// Tells whether a signal reaches a command: sshd passes it on only where a process of its own stands between it and
    /// the login (privilege separation), and for root there is none.
    pub(super) fn passes_signals(&self) -> bool {
        self.passes_signals
    }

    /// Tells whether the server starts each command as the leader of a process group.
    pub(super) fn makes_groups(&self) -> bool {
        self.makes_groups
    }

    /// Returns what keeps the input of its commands from piling up.
    pub(super) fn outflow(&self) -> Arc<Outflow> {
        Arc::clone(&self.outflow)
    }

    /// Returns what is done with the reply to the start of a command.
    pub(super) fn start_reply(&self) -> Reply {
        self.start_reply
    }

    /// Tells whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Opens a stream through this host to another, which has this purpose.
    ///
    /// # Cancel safety
    ///
    /// The opening goes on in a task of the session; a stream that nobody takes closes itself.
    pub(super) async fn tunnel(
        self: &Arc<Self>,
        address: &str,
        port: u16,
        purpose: Purpose,
    ) -> Result<Near, russh::Error> {
        let (sender, receiver) = oneshot::channel();
        let (session, address) = (Arc::clone(self), address.to_owned());
        self.tasks.spawn(async move {
            let opened = session.handle.channel_open_direct_tcpip(address, u32::from(port), "127.0.0.1", 0).await;
            let stream = |channel| tunnel::stream(channel, purpose, &session.tasks, Arc::clone(&session));
            drop(sender.send(opened.map(stream)));
        });
        receiver.await.unwrap_or(Err(russh::Error::Disconnect))
    }

    /// Opens a channel: the one that was opened ahead, or a new one.
    ///
    /// # Cancel safety
    ///
    /// The opening goes on in a task of the session, which closes the channel when nobody takes it.
    pub(super) async fn open(self: &Arc<Self>) -> Result<OpenChannel> {
        if let Some(open) = self.spare().await {
            return Ok(open);
        }
        let (wanted, receiver) = oneshot::channel();
        self.tasks.spawn(Arc::clone(self).open_for(wanted));
        match receiver.await {
            Ok(opened) => opened,
            Err(_) => Err(self.lost_before().await),
        }
    }

    /// Opens the next channel while the command before it runs: the next command then costs one round trip, not two.
    pub(super) fn open_ahead(self: &Arc<Self>) {
        if !self.ahead.load(Ordering::Relaxed) {
            return;
        }
        let mut spare = lock(&self.spare);
        if spare.is_some() {
            return;
        }
        let Some(slot) = self.slots.try_take_unwanted() else { return };
        let (sender, receiver) = oneshot::channel();
        *spare = Some(receiver);
        let session = Arc::clone(self);
        self.tasks.spawn(async move {
            match session.open_in(slot).await {
                Ok(open) => drop(sender.send(open)),
                Err(_) => session.ahead.store(false, Ordering::Relaxed),
            }
        });
    }

    /// Returns the channel that was opened ahead, where there is one, or will be in a moment.
    async fn spare(&self) -> Option<OpenChannel> {
        let spare = lock(&self.spare).take();
        // A server may close a channel that is long unused; the command must not be sent into it.
        let mut open = spare?.await.ok()?;
        if open.has_ended() {
            self.ahead.store(false, Ordering::Relaxed);
            return None;
        }
        Some(open)
    }

    /// Opens a channel for one who waits. Once the server is asked it goes on to the end, whoever has gone meanwhile: a
    /// channel that nobody takes any more closes itself.
    async fn open_for(self: Arc<Self>, mut wanted: oneshot::Sender<Result<OpenChannel>>) {
        let opened = loop {
            let room = tokio::select! {
                room = self.room() => room,
                () = wanted.closed() => return,
            };
            let slot = match room {
                Room::Spare(open) => break Ok(open),
                Room::Place(slot) => slot,
            };
            match self.open_in(slot).await {
                Ok(open) => break Ok(open),
                Err(NotOpened::Full) => {}
                Err(NotOpened::Never(reason)) => {
                    let error = Error::new(ErrorKind::Connect, "could not open a session").on(&self.target.host);
                    break Err(error.caused_by(OpenRefused(reason)));
                }
                Err(NotOpened::Lost) => break Err(self.lost_before().await),
            }
        };
        drop(wanted.send(opened));
    }

    /// Waits for a place for a channel, or for the one that was opened ahead.
    async fn room(&self) -> Room {
        if let Some(slot) = self.slots.try_take() {
            return Room::Place(slot);
        }
        // From now on no channel is opened ahead; one that was may hold the only place there is.
        let waiting = self.slots.wait();
        match self.spare().await {
            Some(open) => Room::Spare(open),
            None => Room::Place(waiting.take().await),
        }
    }

    /// Opens a channel in a place, asking again where a refusal may have come too soon.
    async fn open_in(&self, mut slot: Slot) -> Result<OpenChannel, NotOpened> {
        let mut refusals = 0;
        loop {
            match self.handle.channel_open_session().await {
                Ok(channel) => {
                    slot.confirm();
                    return Ok(OpenChannel::new(channel, slot, self.tasks.clone()));
                }
                Err(russh::Error::ChannelOpenFailure(reason)) => match slot.refused(refusals) {
                    Refusal::TooSoon(wait) => tokio::time::sleep(wait).await,
                    Refusal::Full => {
                        self.ahead.store(false, Ordering::Relaxed);
                        return Err(NotOpened::Full);
                    }
                    Refusal::Never => return Err(NotOpened::Never(reason)),
                },
                Err(_) => return Err(NotOpened::Lost),
            }
            refusals += 1;
        }
    }

    /// Opens a channel for what goes on beside a command: in a place of its own, where it has not to wait.
    pub(super) async fn open_aside(self: &Arc<Self>) -> Option<OpenChannel> {
        if let Some(open) = self.spare().await {
            return Some(open);
        }
        match self.slots.try_take_kept() {
            Some(slot) => self.open_in(slot).await.ok(),
            None => self.open().await.ok(),
        }
    }

    /// Lets something go on in a task of the session.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Makes the error of a command that was not started, since it wanted a pty.
    pub(super) fn refused_pty(&self, command: &str) -> Error {
        let text = format!("the server gives no pty, and `{command}` was not run without");
        Error::new(ErrorKind::Connect, text).on(&self.target.host)
    }

    /// Refuses to send a secret to a host whose key has changed, even with `StrictHostKeyChecking no`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HostKey`] if the host key has changed.
    pub(super) fn admit_secret(&self, command: &str) -> Result<()> {
        if !self.is_mistrusted {
            return Ok(());
        }
        let error = Error::new(ErrorKind::HostKey, format!("the secret for `{command}` was not sent"));
        Err(error.on(&self.target.host).caused_by(SecretWithheld).hint(changed_key_hint(&self.target)))
    }

    /// Makes the error of a command that a server has not started, since it closed its channel again and again.
    pub(super) fn closed_before(&self) -> Error {
        Error::new(ErrorKind::Connect, "the server closed the channel before the command was started")
            .on(&self.target.host)
    }

    /// Makes the error of a connection that ended before a command was sent: nothing has happened.
    pub(super) async fn lost_before(&self) -> Error {
        let reason = self.gone.reason().await;
        Error::new(ErrorKind::Connect, "the connection was lost before the command was sent")
            .on(&self.target.host)
            .caused_by(reason)
    }

    /// Makes the error of a connection that ended while a command was on its way.
    pub(super) async fn lost(&self, command: &str) -> Error {
        let reason = self.gone.reason().await;
        Error::new(ErrorKind::Channel, format!("the connection was lost during `{command}`; it may have done its work"))
            .on(&self.target.host)
            .caused_by(reason)
    }

    /// Says goodbye and waits, not for long, until it is sent.
    pub(super) async fn close(&self) {
        drop(lock(&self.spare).take());
        let goodbye = async {
            drop(self.handle.disconnect(Disconnect::ByApplication, "", "").await);
            self.gone.happened().await;
            self.tasks.close();
            self.tasks.wait().await;
        };
        // One limit for all: a host that hangs answers nothing, and a stopped run must not wait for it.
        drop(tokio::time::timeout(GOODBYE, goodbye).await);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("host", &self.target.host).finish_non_exhaustive()
    }
}
