//! A channel that is open and carries no command yet; it can't get lost.

use std::fmt;
use std::time::Duration;

use futures::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, Sig};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::slots::Slot;
use crate::transport::{Program, Pty, Size};

/// How long a CLOSE may wait for its place in the session's queue.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A channel that is open, with its place.
///
/// Dropped, it is closed, and then its place is given back: dropping a russh channel sends no CLOSE, and the server would
/// keep its session.
pub(super) struct OpenChannel {
    held: Option<(Channel<Msg>, Slot)>,
    /// Where it is closed.
    tasks: TaskTracker,
}

impl OpenChannel {
    pub(super) fn new(channel: Channel<Msg>, slot: Slot, tasks: TaskTracker) -> Self {
        Self { held: Some((channel, slot)), tasks }
    }

    /// Tells whether the server has closed it already, as it may do with one that is long unused.
    pub(super) fn has_ended(&mut self) -> bool {
        let Some((channel, _)) = &mut self.held else { return true };
        matches!(channel.wait().now_or_never(), Some(Some(ChannelMsg::Close) | None))
    }

    /// Starts a command: one packet whose reply is not waited for. With a pty it is a round trip more, so that a command
    /// that needs one never runs without.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, it closes the channel and ends what it started.
    pub(super) async fn start(
        mut self,
        program: &Program,
        pty: Option<&Pty>,
    ) -> Result<(Channel<Msg>, Slot), NotStarted> {
        self.begin(program, pty).await?;
        self.held.take().ok_or(NotStarted::Lost)
    }

    /// Starts a command as [`start`](Self::start), on a channel that still is closed when this is dropped; returns it.
    pub(super) async fn begin(
        &mut self,
        program: &Program,
        pty: Option<&Pty>,
    ) -> Result<&mut Channel<Msg>, NotStarted> {
        let Some((channel, _)) = &mut self.held else { return Err(NotStarted::Lost) };
        if let Some(pty) = pty {
            let Size { columns, rows } = *pty.size.borrow();
            channel.request_pty(true, &pty.term, columns.into(), rows.into(), 0, 0, &[]).await?;
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => break,
                    Some(ChannelMsg::Failure) => return Err(NotStarted::NoPty),
                    Some(ChannelMsg::Close) | None => return Err(NotStarted::Lost),
                    Some(_) => {}
                }
            }
        }
        match program {
            Program::Line(line) => channel.exec(true, line.as_bytes()).await?,
            Program::Subsystem(name) => channel.request_subsystem(true, *name).await?,
        }
        Ok(channel)
    }
}

/// Why a command was not started.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// The server gives no pty.
    NoPty,
    /// The connection is gone.
    Lost,
}

impl From<russh::Error> for NotStarted {
    fn from(_: russh::Error) -> Self {
        Self::Lost
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        // Without a runtime the connection has ended already.
        if let (Some((channel, slot)), Ok(runtime)) = (self.held.take(), Handle::try_current()) {
            self.tasks.spawn_on(give_back(channel, slot), &runtime);
        }
    }
}

/// Closes a channel. Its place is free when CLOSE is sent, since the server reads that before any later open.
async fn give_back(channel: Channel<Msg>, _slot: Slot) {
    let close = async {
        // The command may have been sent, by one who was dropped before that was known.
        channel.signal(Sig::KILL).await?;
        channel.close().await
    };
    // Whatever goes wrong means that the connection is gone.
    drop(timeout(CLOSE_WAIT, close).await);
}

impl fmt::Debug for OpenChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenChannel").finish_non_exhaustive()
    }
}
