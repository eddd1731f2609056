//! An open channel without a command. Dropping it closes the channel on the server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, Sig};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::shell::sh_command;
use crate::ssh::agent::forwarding::AgentForwarding;
use crate::ssh::channel_slots::ChannelSlot;
use crate::ssh::start_error::StartError;
use crate::transport::Program;
use crate::transport::{Pty, TerminalSize};

/// The maximum number of channels to try before a start fails.
pub(super) const MAX_START_ATTEMPTS: usize = 20;
/// The maximum time to wait for the reply to a start.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum wait of a CLOSE in the queue of the session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// An open channel with its slot.
///
/// Dropping it closes the channel and then releases the slot. A dropped russh channel would send no
/// CLOSE, and the server would keep its session.
pub(super) struct OpenChannel {
    held: Option<(Channel<Msg>, ChannelSlot)>,
    /// The tasks of the session, for the CLOSE.
    tasks: TaskTracker,
    /// Requested before a command, but not before a subsystem.
    agent_forwarding: Option<Arc<AgentForwarding>>,
    /// A message received while waiting for the reply to the start. The next reader receives it
    /// first.
    early_message: Option<ChannelMsg>,
}

/// A channel with a started command.
pub(super) struct StartedChannel {
    pub(super) channel: Channel<Msg>,
    pub(super) slot: ChannelSlot,
    /// A message already received from the command.
    pub(super) early_message: Option<ChannelMsg>,
}

impl OpenChannel {
    pub(super) fn new(
        channel: Channel<Msg>,
        slot: ChannelSlot,
        tasks: TaskTracker,
        agent_forwarding: Option<Arc<AgentForwarding>>,
    ) -> Self {
        Self { held: Some((channel, slot)), tasks, agent_forwarding, early_message: None }
    }

    /// Returns true if the server has closed the channel, for example after a long idle time.
    pub(super) fn is_closed_by_server(&mut self) -> bool {
        let Some((channel, _)) = &mut self.held else { return true };
        loop {
            match channel.wait().now_or_never() {
                Some(Some(ChannelMsg::Eof | ChannelMsg::Close) | None) => return true,
                // Other messages on an idle channel have no meaning.
                Some(Some(_)) => {}
                None => return false,
            }
        }
    }

    /// Returns the channel. Dropping `self` still closes it.
    pub(super) fn channel(&mut self) -> Option<&mut Channel<Msg>> {
        self.held.as_mut().map(|(channel, _)| channel)
    }

    /// Starts a command with one packet. With a pseudo-terminal, first waits one round trip for the
    /// terminal, so a command never runs without it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the channel and kills the command.
    pub(super) async fn start(
        mut self,
        program: &Program,
        pty: Option<&Pty>,
        reply_mode: ReplyMode,
    ) -> Result<StartedChannel, StartError> {
        self.start_in_place(program, pty, reply_mode).await?;
        let (channel, slot) = self.held.take().ok_or(StartError::Lost)?;
        Ok(StartedChannel { channel, slot, early_message: self.early_message.take() })
    }

    /// Like [`start`](Self::start), but dropping `self` still closes the channel.
    pub(super) async fn start_in_place(
        &mut self,
        program: &Program,
        pty: Option<&Pty>,
        reply_mode: ReplyMode,
    ) -> Result<(), StartError> {
        let Some((channel, _)) = &mut self.held else { return Err(StartError::Lost) };
        if let (Some(forwarding), Program::Line(_) | Program::Script(_)) = (&self.agent_forwarding, program) {
            forwarding.request(channel).await?;
        }
        if let Some(pty) = pty {
            let TerminalSize { columns, rows } = *pty.size.borrow();
            channel.request_pty(true, &pty.term, columns.into(), rows.into(), 0, 0, &[]).await?;
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => break,
                    Some(ChannelMsg::Failure) => return Err(StartError::NoPty),
                    Some(ChannelMsg::Close) | None => return Err(StartError::Lost),
                    Some(_) => {}
                }
            }
        }
        match program {
            Program::Line(line) => channel.exec(true, line.as_bytes()).await?,
            Program::Script(script) => channel.exec(true, sh_command(script)).await?,
            Program::Subsystem(name) => channel.request_subsystem(true, *name).await?,
        }
        if reply_mode == ReplyMode::Wait {
            // Without a reply in this time the command counts as started, so no command is
            // started twice.
            while let Ok(message) = timeout(REPLY_TIMEOUT, channel.wait()).await {
                match message {
                    Some(ChannelMsg::Success) => break,
                    Some(ChannelMsg::Eof | ChannelMsg::Close) => return Err(StartError::Closed),
                    None => return Err(StartError::Lost),
                    Some(ChannelMsg::WindowAdjusted { .. }) => {}
                    Some(message) => {
                        self.early_message = Some(message);
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The handling of the reply to the start of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyMode {
    /// Wait: the server may close the channel before it has read the request.
    Wait,
    /// Don't wait. The reply arrives with the messages of the command.
    Skip,
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        // Without a runtime the session has already ended.
        if let (Some((channel, slot)), Ok(runtime)) = (self.held.take(), Handle::try_current()) {
            self.tasks.spawn_on(close_and_release(channel, slot), &runtime);
        }
    }
}

/// Closes a channel. The slot is free after the CLOSE is sent, because the server reads it before
/// any later open.
async fn close_and_release(channel: Channel<Msg>, _slot: ChannelSlot) {
    let close = async {
        // A caller dropped during the start may have sent the command.
        channel.signal(Sig::KILL).await?;
        channel.close().await
    };
    // An error means that the connection is lost, and the channel with it.
    drop(timeout(CLOSE_TIMEOUT, close).await);
}

impl fmt::Debug for OpenChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenChannel").finish_non_exhaustive()
    }
}
