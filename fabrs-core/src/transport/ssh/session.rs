//! A live connection that is logged in: it opens channels, one of them ahead of need.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::handler::{Gone, Handler};
use super::slots::Slots;
use super::target::Target;
use super::wire::OpenChannel;
use crate::error::{Error, ErrorKind, Result};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(250);

/// A connection to one host, logged in.
pub(super) struct Session {
    handle: Handle<Handler>,
    gone: Arc<Gone>,
    target: Arc<Target>,
    slots: Arc<Slots>,
    /// Whether channels are opened ahead; given up at the first refusal.
    ahead: AtomicBool,
    spare: Mutex<Option<oneshot::Receiver<OpenChannel>>>,
    /// The tasks that open channels, so that none outlives the session.
    opening: TaskTracker,
}

/// Why a channel could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the server refused to open a session ({0:?})")]
struct OpenRefused(russh::ChannelOpenFailure);

impl Session {
    pub(super) fn new(handle: Handle<Handler>, gone: Arc<Gone>, target: Arc<Target>) -> Arc<Self> {
        Arc::new(Self {
            handle,
            gone,
            target,
            slots: Slots::new(),
            ahead: AtomicBool::new(true),
            spare: Mutex::new(None),
            opening: TaskTracker::new(),
        })
    }

    /// Tells whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    pub(super) fn handle(&self) -> &Handle<Handler> {
        &self.handle
    }

    /// Opens a channel: the one that was opened ahead, or a new one.
    ///
    /// # Cancel safety
    ///
    /// The opening goes on in a task of the session, which closes the channel when nobody takes it.
    pub(super) async fn open(self: &Arc<Self>) -> Result<OpenChannel> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(spare) = spare
            && let Ok(open) = spare.await
        {
            return Ok(open);
        }
        let (sender, receiver) = oneshot::channel();
        let session = Arc::clone(self);
        self.opening.spawn(async move {
            let opened = session.open_now().await;
            hand_over(sender, opened).await;
        });
        match receiver.await {
            Ok(opened) => opened,
            Err(_) => Err(self.lost("opening a session").await),
        }
    }

    /// Opens the next channel while the command before it runs: the next command then costs one round trip, not two.
    pub(super) fn open_ahead(self: &Arc<Self>) {
        if !self.ahead.load(Ordering::Relaxed) {
            return;
        }
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_some() {
            return;
        }
        let Some(slot) = self.slots.try_take() else { return };
        let (sender, receiver) = oneshot::channel();
        *spare = Some(receiver);
        let session = Arc::clone(self);
        self.opening.spawn(async move {
            match session.handle.channel_open_session().await {
                Ok(channel) => {
                    if let Err(unwanted) = sender.send(OpenChannel { channel, slot }) {
                        drop(unwanted.channel.close().await);
                    }
                }
                Err(_) => {
                    session.ahead.store(false, Ordering::Relaxed);
                    slot.refused();
                }
            }
        });
    }

    async fn open_now(&self) -> Result<OpenChannel> {
        loop {
            let slot = self.slots.take().await;
            match self.handle.channel_open_session().await {
                Ok(channel) => return Ok(OpenChannel { channel, slot }),
                // A slot is not free at `exit-status`: wait for the CLOSE of one that is open, and ask again.
                Err(russh::Error::ChannelOpenFailure(reason)) => {
                    self.ahead.store(false, Ordering::Relaxed);
                    if !slot.refused() {
                        let error = Error::new(ErrorKind::Connect, "could not open a session").on(&self.target.host);
                        return Err(error.caused_by(OpenRefused(reason)));
                    }
                }
                Err(_) => return Err(self.lost("opening a session").await),
            }
        }
    }

    /// Makes the error of a connection that ended while `doing` something.
    pub(super) async fn lost(&self, doing: &str) -> Error {
        let reason = self.gone.reason().await;
        Error::new(ErrorKind::Channel, format!("the connection was lost during `{doing}`; it may have done its work"))
            .on(&self.target.host)
            .caused_by(reason)
    }

    /// Says goodbye and waits, not for long, until it is sent.
    pub(super) async fn close(&self) {
        drop(self.spare.lock().unwrap_or_else(PoisonError::into_inner).take());
        let goodbye = async {
            drop(self.handle.disconnect(Disconnect::ByApplication, "", "").await);
            self.gone.happened().await;
        };
        drop(tokio::time::timeout(GOODBYE, goodbye).await);
        self.opening.close();
        drop(tokio::time::timeout(GOODBYE, self.opening.wait()).await);
    }
}

/// Gives an opened channel to who asked for it, or closes it where nobody waits any more: dropping a russh channel sends
/// no CLOSE, and the server would keep its session.
async fn hand_over(sender: oneshot::Sender<Result<OpenChannel>>, opened: Result<OpenChannel>) {
    if let Err(Ok(unwanted)) = sender.send(opened) {
        drop(unwanted.channel.close().await);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("host", &self.target.host).finish_non_exhaustive()
    }
}
