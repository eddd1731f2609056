//! A running command on a session channel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};

use crate::error::Result;
use crate::event::Stream;
use crate::output::{ExitStatus, Signal};
use crate::shell::sh_command_in_session;
use crate::ssh::channel_slots::ChannelSlot;
use crate::ssh::channel_stdin::ChannelStdin;
use crate::ssh::open_channel::{MAX_START_ATTEMPTS, StartedChannel};
use crate::ssh::session::Session;
use crate::ssh::side_channel;
use crate::ssh::start_error::StartError;
use crate::transport::RemoteProcessGroup;
use crate::transport::{Answer, Invocation, Program};
use crate::transport::{ChannelMessage, CommandChannel, queue_full_error};
use crate::transport::{Pty, TerminalSize};
use crate::transport::{SignalStrategy, shell_code};

/// The maximum wait of a signal in the queue of the session. A stalled network must not
/// delay the next step of the escalation.
const SIGNAL_TIMEOUT: Duration = Duration::from_millis(200);
/// The only type of extended data defined by RFC 4254 §5.2.
const EXTENDED_DATA_STDERR: u32 = 1;

/// The channel of a running command.
pub(super) struct SshChannel {
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    stdin: ChannelStdin,
    pty: Option<Pty>,
    session: Arc<Session>,
    shown: Arc<str>,
    strategy: SignalStrategy,
    /// The process group, if signals use a side channel.
    group: Option<RemoteProcessGroup>,
    /// A message received with the reply to the start.
    early_message: Option<ChannelMsg>,
    /// A received message, kept while [`next`](CommandChannel::next) first returns the output held
    /// back during the search for the marker.
    pending_message: Option<ChannelMessage>,
    /// Released when the channel is dropped, after its CLOSE.
    _slot: ChannelSlot,
}

impl SshChannel {
    /// Starts a command on a new channel with one packet. Waits for the reply only if the server
    /// may close the channel before the start. With a pseudo-terminal, first waits one round trip
    /// for the terminal, so a command never runs without it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the channel and kills the command.
    pub(super) async fn start(session: Arc<Session>, invocation: Invocation) -> Result<Self> {
        let strategy = SignalStrategy::of(session.forwards_signals(), &invocation);
        let Invocation { program, shown, pty, stdin, has_secret, .. } = invocation;
        if has_secret {
            session.check_secret_allowed(&shown)?;
        }
        let group = if strategy == SignalStrategy::SideChannel { Some(RemoteProcessGroup::new()?) } else { None };
        let script = match &group {
            Some(group) => shell_code(&program).map(|shell_code| group.script(&shell_code)),
            None => strategy.script(&program),
        };
        // The command runs in its own process group, so a signal reaches all of its processes.
        let program = match script {
            Some(script) if session.makes_process_groups() => Program::Script(script.into()),
            Some(script) => Program::Line(sh_command_in_session(&script).into()),
            None => program,
        };
        let reply = session.start_reply_mode();
        let mut starts = 1;
        let StartedChannel { channel, slot, early_message } = loop {
            match session.open().await?.start(&program, pty.as_ref(), reply).await {
                Ok(started) => break started,
                Err(StartError::NoPty) => return Err(session.pty_error(&shown)),
                Err(StartError::Closed) if starts < MAX_START_ATTEMPTS => starts += 1,
                Err(StartError::Closed) => return Err(session.closed_before_start()),
                Err(StartError::Lost) => return Err(session.lost_before_start().await),
            }
        };
        let (read, write) = channel.split();
        let write = Arc::new(write);
        let stdin = ChannelStdin::new(Arc::clone(&write), session.send_budget(), stdin, pty.is_some(), strategy);
        Ok(Self {
            read,
            write,
            stdin,
            pty,
            session,
            shown,
            strategy,
            group,
            early_message,
            pending_message: None,
            _slot: slot,
        })
    }

    /// Returns the next message of the channel. Writes stdin while waiting.
    async fn receive(&mut self) -> ChannelMessage {
        loop {
            let early_message = self.early_message.take();
            let message = tokio::select! {
                biased;
                () = std::future::ready(()), if early_message.is_some() => early_message,
                () = self.stdin.write_next() => continue,
                size = resized(&mut self.pty) => {
                    drop(self.write.window_change(size.columns.into(), size.rows.into(), 0, 0).await);
                    continue;
                }
                message = self.read.wait() => message,
            };
            return match message {
                Some(ChannelMsg::Data { data }) => ChannelMessage::Data(Stream::Stdout, data),
                Some(ChannelMsg::ExtendedData { data, ext: EXTENDED_DATA_STDERR }) => {
                    ChannelMessage::Data(Stream::Stderr, data)
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => ChannelMessage::Exit(ExitStatus::Code(exit_status)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    ChannelMessage::Exit(ExitStatus::Signal(from_russh(&signal_name)))
                }
                Some(ChannelMsg::Failure) => ChannelMessage::Rejected,
                // RFC 4254 §5.3: EOF means neither close nor the end of the command.
                Some(ChannelMsg::Eof) => ChannelMessage::Eof,
                Some(ChannelMsg::Close) => ChannelMessage::Closed,
                // Window changes and confirmations.
                Some(_) => continue,
                None => ChannelMessage::Lost(self.session.lost(&self.shown).await),
            };
        }
    }

    /// Sends the queued signals to the process group, in order.
    fn send_group_signals(&mut self) {
        if let Some(group) = &mut self.group {
            group.send_queued(|line| side_channel::start(&self.session, line));
        }
    }
}

impl CommandChannel for SshChannel {
    async fn next(&mut self) -> ChannelMessage {
        if let Some(pending_message) = self.pending_message.take() {
            return pending_message;
        }
        loop {
            let message = self.receive().await;
            let Some(group) = &mut self.group else { return message };
            match message {
                ChannelMessage::Data(Stream::Stderr, data) => {
                    let left = group.strip_marker(data);
                    self.send_group_signals();
                    if !left.is_empty() {
                        return ChannelMessage::Data(Stream::Stderr, left);
                    }
                }
                ChannelMessage::Exit(_) => {
                    group.shell_ended();
                    return message;
                }
                ChannelMessage::Data(Stream::Stdout, _) | ChannelMessage::Rejected => return message,
                // No output follows, so the held back bytes are not a marker.
                ChannelMessage::Eof | ChannelMessage::Closed | ChannelMessage::Lost(_) => {
                    let Some(rest) = group.take_held_back() else { return message };
                    self.pending_message = Some(message);
                    return ChannelMessage::Data(Stream::Stderr, rest);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<()> {
        if answer.has_secret {
            self.session.check_secret_allowed(&self.shown)?;
        }
        self.stdin.answer(answer).map_err(queue_full_error)
    }

    async fn signal(&mut self, signal: Signal) {
        if let Some(group) = &mut self.group {
            group.queue_signal(signal.clone());
            if group.is_known() {
                return self.send_group_signals();
            }
        }
        let sent = async {
            match (self.strategy.stdin_bytes(&signal), self.strategy) {
                (Some(stdin_bytes), _) => self.write.data_bytes(stdin_bytes).await,
                (None, SignalStrategy::StdinEof) => self.write.eof().await,
                (None, _) => self.write.signal(to_russh(&signal)).await,
            }
        };
        drop(tokio::time::timeout(SIGNAL_TIMEOUT, sent).await);
    }

    fn can_signal_all(&self) -> bool {
        self.group.as_ref().is_none_or(RemoteProcessGroup::reaches_all_processes)
    }

    async fn close(&mut self) {
        self.stdin.discard();
        drop(tokio::time::timeout(SIGNAL_TIMEOUT, self.write.close()).await);
    }
}

/// Waits for a new size of the pseudo-terminal.
async fn resized(pty: &mut Option<Pty>) -> TerminalSize {
    match pty {
        Some(pty) => pty.resized().await,
        None => std::future::pending().await,
    }
}

/// The signals of RFC 4254 §6.10 with the names used by russh.
const SIGNALS: [(&str, Sig); 12] = [
    ("ABRT", Sig::ABRT),
    ("ALRM", Sig::ALRM),
    ("FPE", Sig::FPE),
    ("HUP", Sig::HUP),
    ("ILL", Sig::ILL),
    ("INT", Sig::INT),
    ("KILL", Sig::KILL),
    ("PIPE", Sig::PIPE),
    ("QUIT", Sig::QUIT),
    ("SEGV", Sig::SEGV),
    ("TERM", Sig::TERM),
    ("USR1", Sig::USR1),
];

fn to_russh(signal: &Signal) -> Sig {
    let known = SIGNALS.iter().find(|(name, _)| *name == signal.name());
    known.map_or_else(|| Sig::Custom(signal.name().to_owned()), |(_, known)| known.clone())
}

fn from_russh(signal: &Sig) -> Signal {
    match signal {
        Sig::Custom(name) => Signal::new(name),
        named => {
            let is_same = |known: &Sig| std::mem::discriminant(known) == std::mem::discriminant(named);
            Signal::new(SIGNALS.iter().find(|(_, known)| is_same(known)).map_or("", |(name, _)| name))
        }
    }
}

impl fmt::Debug for SshChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshChannel").field("id", &self.write.id()).finish_non_exhaustive()
    }
}
