//! A channel that is open and carries no command yet; it can't get lost.

use std::fmt;
use std::time::Duration;

use futures::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, Sig};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::shell::sh_command;
use crate::transport::pty::{Pty, Size};
use crate::transport::request::Program;
use crate::transport::ssh::channel_slots::Slot;

/// How many channels are tried before it is said that a server starts nothing.
pub(super) const STARTS: usize = 20;
/// How long the reply to a start is awaited.
const REPLY_WAIT: Duration = Duration::from_secs(5);
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
    /// What has come while the reply to the start was awaited, and is for whoever reads on.
    early: Option<ChannelMsg>,
}

/// A channel on which a command was begun.
pub(super) struct Started {
    pub(super) channel: Channel<Msg>,
    pub(super) slot: Slot,
    /// What has come of it already.
    pub(super) early: Option<ChannelMsg>,
}

impl OpenChannel {
    pub(super) fn new(channel: Channel<Msg>, slot: Slot, tasks: TaskTracker) -> Self {
        Self { held: Some((channel, slot)), tasks, early: None }
    }

    /// Tells whether the server has closed it already, as it may do with one that is long unused.
    pub(super) fn has_ended(&mut self) -> bool {
        let Some((channel, _)) = &mut self.held else { return true };
        loop {
            match channel.wait().now_or_never() {
                Some(Some(ChannelMsg::Eof | ChannelMsg::Close) | None) => return true,
                // What else is said of one that carries nothing is no news.
                Some(Some(_)) => {}
                None => return false,
            }
        }
    }

    /// Returns the channel, which still is closed when this is dropped.
    pub(super) fn channel(&mut self) -> Option<&mut Channel<Msg>> {
        self.held.as_mut().map(|(channel, _)| channel)
    }

    /// Starts a command: one packet, whose reply may be waited for. With a pty it is a round trip more, so that a command
    /// that needs one never runs without.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, it closes the channel and ends what it started.
    pub(super) async fn start(
        mut self,
        program: &Program,
        pty: Option<&Pty>,
        reply: Reply,
    ) -> Result<Started, NotStarted> {
        self.begin(program, pty, reply).await?;
        let (channel, slot) = self.held.take().ok_or(NotStarted::Lost)?;
        Ok(Started { channel, slot, early: self.early.take() })
    }

    /// Starts a command as [`start`](Self::start), on a channel that still is closed when this is dropped.
    pub(super) async fn begin(&mut self, program: &Program, pty: Option<&Pty>, reply: Reply) -> Result<(), NotStarted> {
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
            Program::Script(script) => channel.exec(true, sh_command(script)).await?,
            Program::Subsystem(name) => channel.request_subsystem(true, *name).await?,
        }
        if reply == Reply::Awaited {
            // What says nothing for so long is taken for started: nothing is started twice.
            while let Ok(message) = timeout(REPLY_WAIT, channel.wait()).await {
                match message {
                    Some(ChannelMsg::Success) => break,
                    Some(ChannelMsg::Eof | ChannelMsg::Close) => return Err(NotStarted::Closed),
                    None => return Err(NotStarted::Lost),
                    Some(ChannelMsg::WindowAdjusted { .. }) => {}
                    Some(news) => {
                        self.early = Some(news);
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is done with the reply to the start of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// It is waited for, since the channel may be closed before the server has read what is to be started.
    Awaited,
    /// It comes with what the command says.
    Later,
}

/// Why a command was not started.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// The server gives no pty.
    NoPty,
    /// The server has closed the channel before it was.
    Closed,
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
