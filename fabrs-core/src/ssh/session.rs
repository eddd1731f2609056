//! An authenticated session: opens channels, one of them in advance.

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
use crate::ssh::agent::forwarding::AgentForwarding;
use crate::ssh::channel_slots::{ChannelSlot, ChannelSlots, OpenRefusal};
use crate::ssh::handler::{Disconnected, Handler};
use crate::ssh::handshake_state::HandshakeState;
use crate::ssh::host_key::changed_key_hint;
use crate::ssh::open_channel::{OpenChannel, ReplyMode};
use crate::ssh::relay::SessionSide;
use crate::ssh::send_budget::SendBudget;
use crate::ssh::server_id::ServerId;
use crate::ssh::target::{Purpose, Target};
use crate::ssh::tunnel;
use crate::transport::SecretWithheld;

/// The maximum time for a disconnect.
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(200);

/// An authenticated session with one host.
pub(super) struct Session {
    handle: Handle<Handler>,
    disconnected: Arc<Disconnected>,
    send_budget: Arc<SendBudget>,
    agent_forwarding: Option<Arc<AgentForwarding>>,
    forwards_signals: bool,
    makes_process_groups: bool,
    start_reply_mode: ReplyMode,
    /// True if `known_hosts` has another key and checking is off. The host then receives no secret.
    has_changed_key: bool,
    target: Arc<Target>,
    slots: Arc<ChannelSlots>,
    /// True if channels may be opened in advance: only on servers known to keep idle channels. The
    /// first refusal, or a channel closed while idle, sets the flag to false.
    may_prefetch: AtomicBool,
    prefetched: Mutex<Option<oneshot::Receiver<OpenChannel>>>,
    /// Tasks that open channels, and close unused ones. They end with the session.
    tasks: TaskTracker,
}

/// A cause: the server rejected a new channel.
#[derive(Debug, thiserror::Error)]
#[error("the server refused to open a session ({0:?})")]
struct OpenRejected(russh::ChannelOpenFailure);

/// The channel or the slot for the next command.
enum NextChannel {
    Prefetched(OpenChannel),
    Slot(ChannelSlot),
}

/// The reason that a slot has no channel.
enum OpenError {
    /// The server allows no further channel.
    Full,
    /// The server allows no channel at all.
    Never(russh::ChannelOpenFailure),
    /// The connection is lost.
    Lost,
}

impl Session {
    pub(super) fn new(handle: Handle<Handler>, state: HandshakeState, target: Arc<Target>) -> Arc<Self> {
        let has_changed_key = state.has_changed_key();
        let HandshakeState { disconnected, server_id, send_budget, agent_forwarding, .. } = state;
        let keeps_idle_channels = server_id.get().is_some_and(ServerId::keeps_idle_channels);
        let closes_idle_channels = server_id.get().is_some_and(ServerId::closes_idle_channels);
        let forwards_signals = target.user != "root" && server_id.get().is_some_and(ServerId::forwards_signals);
        Arc::new(Self {
            handle,
            disconnected,
            send_budget,
            agent_forwarding,
            forwards_signals,
            makes_process_groups: server_id.get().is_some_and(ServerId::makes_process_groups),
            start_reply_mode: if closes_idle_channels { ReplyMode::Wait } else { ReplyMode::Skip },
            has_changed_key,
            target,
            // Reserve a slot for the side channel if signals need one.
            slots: ChannelSlots::new(usize::from(!forwards_signals)),
            may_prefetch: AtomicBool::new(keeps_idle_channels),
            prefetched: Mutex::new(None),
            tasks: TaskTracker::new(),
        })
    }

    /// Returns true if the server forwards signals to commands. In sshd, only the separate process
    /// of privilege separation forwards signals. A root login has no such process.
    pub(super) fn forwards_signals(&self) -> bool {
        self.forwards_signals
    }

    /// Returns true if the server starts each command as the leader of a process group.
    pub(super) fn makes_process_groups(&self) -> bool {
        self.makes_process_groups
    }

    /// Returns the limit of queued stdin bytes.
    pub(super) fn send_budget(&self) -> Arc<SendBudget> {
        Arc::clone(&self.send_budget)
    }

    /// Returns the handling of the reply to the start of a command.
    pub(super) fn start_reply_mode(&self) -> ReplyMode {
        self.start_reply_mode
    }

    /// Returns true if the session has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Opens a stream through this host to another host. `purpose` is the purpose of the other
    /// host.
    ///
    /// # Cancel safety
    ///
    /// A task of the session completes the opening. A dropped stream closes itself.
    pub(super) async fn tunnel(
        self: &Arc<Self>,
        address: &str,
        port: u16,
        purpose: Purpose,
    ) -> Result<SessionSide, russh::Error> {
        let (sender, receiver) = oneshot::channel();
        let (session, address) = (Arc::clone(self), address.to_owned());
        self.tasks.spawn(async move {
            let opened = session.handle.channel_open_direct_tcpip(address, u32::from(port), "127.0.0.1", 0).await;
            let stream = |channel| tunnel::open_stream(channel, purpose, &session.tasks, Arc::clone(&session));
            drop(sender.send(opened.map(stream)));
        });
        receiver.await.unwrap_or(Err(russh::Error::Disconnect))
    }

    /// Returns the channel opened in advance, or opens a new one.
    ///
    /// # Cancel safety
    ///
    /// A task of the session completes the opening, and closes the channel if the caller is gone.
    pub(super) async fn open(self: &Arc<Self>) -> Result<OpenChannel> {
        if let Some(open) = self.take_prefetched().await {
            return Ok(open);
        }
        let (waiter, receiver) = oneshot::channel();
        self.tasks.spawn(Arc::clone(self).open_for_waiter(waiter));
        match receiver.await {
            Ok(opened) => opened,
            Err(_) => Err(self.lost_before_start().await),
        }
    }

    /// Opens a channel for the next command while the current one runs. The next command then costs
    /// one round trip instead of two.
    pub(super) fn prefetch_channel(self: &Arc<Self>) {
        if !self.may_prefetch.load(Ordering::Relaxed) {
            return;
        }
        let mut prefetched = lock(&self.prefetched);
        if prefetched.is_some() {
            return;
        }
        let Some(slot) = self.slots.try_take_unless_awaited() else { return };
        let (sender, receiver) = oneshot::channel();
        *prefetched = Some(receiver);
        let session = Arc::clone(self);
        self.tasks.spawn(async move {
            match session.open_in_slot(slot).await {
                Ok(open) => drop(sender.send(open)),
                Err(_) => session.may_prefetch.store(false, Ordering::Relaxed),
            }
        });
    }

    /// Returns the channel opened in advance, or `None`. Waits for a channel that is still being
    /// opened.
    async fn take_prefetched(&self) -> Option<OpenChannel> {
        let prefetched = lock(&self.prefetched).take();
        // A server may close a channel after a long idle time. No command must be sent to a closed
        // channel.
        let mut open = prefetched?.await.ok()?;
        if open.is_closed_by_server() {
            self.may_prefetch.store(false, Ordering::Relaxed);
            return None;
        }
        Some(open)
    }

    /// Opens a channel for a waiting caller. A request sent to the server is completed even if the
    /// caller is gone. The channel then closes itself.
    async fn open_for_waiter(self: Arc<Self>, mut waiter: oneshot::Sender<Result<OpenChannel>>) {
        let opened = loop {
            let next_channel = tokio::select! {
                next_channel = self.next_channel() => next_channel,
                () = waiter.closed() => return,
            };
            let slot = match next_channel {
                NextChannel::Prefetched(open) => break Ok(open),
                NextChannel::Slot(slot) => slot,
            };
            match self.open_in_slot(slot).await {
                Ok(open) => break Ok(open),
                Err(OpenError::Full) => {}
                Err(OpenError::Never(reason)) => {
                    let error = Error::new(ErrorKind::Connect, "could not open a session").on(&self.target.host);
                    break Err(error.caused_by(OpenRejected(reason)));
                }
                Err(OpenError::Lost) => break Err(self.lost_before_start().await),
            }
        };
        drop(waiter.send(opened));
    }

    /// Waits for a free slot or for the channel opened in advance.
    async fn next_channel(&self) -> NextChannel {
        if let Some(slot) = self.slots.try_take() {
            return NextChannel::Slot(slot);
        }
        // While a waiter is registered, no further channel is opened in advance. An earlier channel
        // may hold the only slot.
        let waiting = self.slots.wait();
        match self.take_prefetched().await {
            Some(open) => NextChannel::Prefetched(open),
            None => NextChannel::Slot(waiting.take().await),
        }
    }

    /// Opens a channel in a slot. Retries after a refusal if the server may not have noticed the
    /// end of another channel.
    async fn open_in_slot(&self, mut slot: ChannelSlot) -> Result<OpenChannel, OpenError> {
        let mut refusals = 0;
        loop {
            match self.handle.channel_open_session().await {
                Ok(channel) => {
                    slot.confirm();
                    return Ok(OpenChannel::new(channel, slot, self.tasks.clone(), self.agent_forwarding.clone()));
                }
                Err(russh::Error::ChannelOpenFailure(reason)) => match slot.refused(refusals) {
                    OpenRefusal::RetryAfter(wait) => tokio::time::sleep(wait).await,
                    OpenRefusal::Full => {
                        self.may_prefetch.store(false, Ordering::Relaxed);
                        return Err(OpenError::Full);
                    }
                    OpenRefusal::Never => return Err(OpenError::Never(reason)),
                },
                Err(_) => return Err(OpenError::Lost),
            }
            refusals += 1;
        }
    }

    /// Opens a channel for a helper command in the reserved slot, without waiting for commands.
    pub(super) async fn open_side_channel(self: &Arc<Self>) -> Option<OpenChannel> {
        if let Some(open) = self.take_prefetched().await {
            return Some(open);
        }
        match self.slots.try_take_reserved() {
            Some(slot) => self.open_in_slot(slot).await.ok(),
            None => self.open().await.ok(),
        }
    }

    /// Runs work in a task of the session.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Returns the error of a command not started for lack of a pseudo-terminal.
    pub(super) fn pty_error(&self, command: &str) -> Error {
        let text = format!("the server provides no pty, so `{command}` was not run");
        Error::new(ErrorKind::Connect, text).on(&self.target.host)
    }

    /// Returns an error if the host must not receive a secret, because its key has changed.
    /// `StrictHostKeyChecking no` allows the connection to such a host, but not the secret.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HostKey`] if the host key has changed.
    pub(super) fn check_secret_allowed(&self, command: &str) -> Result<()> {
        if !self.has_changed_key {
            return Ok(());
        }
        let error = Error::new(ErrorKind::HostKey, format!("the secret for `{command}` was not sent"));
        Err(error.on(&self.target.host).caused_by(SecretWithheld).hint(changed_key_hint(&self.target)))
    }

    /// Returns the error of a command whose channel was closed before the start in every attempt.
    pub(super) fn closed_before_start(&self) -> Error {
        Error::new(ErrorKind::Connect, "the server closed the channel before the command was started")
            .on(&self.target.host)
    }

    /// Returns the error of a connection lost before a command was sent. The command had no effect.
    pub(super) async fn lost_before_start(&self) -> Error {
        let reason = self.disconnected.cause().await;
        Error::new(ErrorKind::Connect, "the connection was lost before the command was sent")
            .on(&self.target.host)
            .caused_by(reason)
    }

    /// Returns the error of a connection lost while a command was running.
    pub(super) async fn lost(&self, command: &str) -> Error {
        let reason = self.disconnected.cause().await;
        Error::new(
            ErrorKind::Channel,
            format!("the connection was lost during `{command}`; the command may have completed"),
        )
        .on(&self.target.host)
        .caused_by(reason)
    }

    /// Disconnects, and waits up to [`DISCONNECT_TIMEOUT`] until the message is sent.
    pub(super) async fn close(&self) {
        drop(lock(&self.prefetched).take());
        let disconnect = async {
            if let Some(forwarding) = &self.agent_forwarding {
                forwarding.close().await;
            }
            drop(self.handle.disconnect(Disconnect::ByApplication, "", "").await);
            self.disconnected.wait().await;
            self.tasks.close();
            self.tasks.wait().await;
        };
        // One limit for all steps: a hanging host answers none of them, and must not delay a
        // stopped run.
        drop(tokio::time::timeout(DISCONNECT_TIMEOUT, disconnect).await);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A lost connection is replaced without a call of `close`.
        if let Some(forwarding) = &self.agent_forwarding {
            forwarding.stop();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("host", &self.target.host).finish_non_exhaustive()
    }
}
