//! One session channel as the wire that a command is carried over.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};

use crate::error::Result;
use crate::event::Stream;
use crate::output::{ExitStatus, Signal};
use crate::shell::sh_command_in_session;
use crate::transport::command_channel::{Message, Wire, unread};
use crate::transport::pty::{Pty, Size};
use crate::transport::request::{Answer, Invocation, Program};
use crate::transport::ssh::channel_slots::Slot;
use crate::transport::ssh::channel_stdin::Feed;
use crate::transport::ssh::open_channel::{NotStarted, STARTS, Started};
use crate::transport::ssh::session::Session;
use crate::transport::ssh::side_channel;
use crate::transport::termination::process_group::Group;
use crate::transport::termination::signal_strategy::{Ending, body};

/// How long a signal may wait for its place in the session's queue: a session whose network stalls must not keep a
/// cancel from climbing on.
const SIGNAL_WAIT: Duration = Duration::from_millis(200);
/// RFC 4254 §5.2 defines one kind of extended data.
const STDERR: u32 = 1;

/// A command's channel.
pub(super) struct ChannelWire {
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    feed: Feed,
    pty: Option<Pty>,
    session: Arc<Session>,
    shown: Arc<str>,
    ending: Ending,
    /// Where signals go to its process group over another channel.
    group: Option<Group>,
    /// What has come with the answer to the start.
    early: Option<ChannelMsg>,
    /// What follows what was held back for the mark of the group.
    following: Option<Message>,
    /// Given back when the wire is dropped, which is after the channel's CLOSE.
    _slot: Slot,
}

impl ChannelWire {
    /// Starts a command on a channel of its own: one packet whose reply is not waited for, unless the server is one that may
    /// close the channel before. With a pty it is a round trip more, so that a command that needs one never runs without.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, the channel closes itself and ends what it started.
    pub(super) async fn start(session: Arc<Session>, invocation: Invocation) -> Result<Self> {
        let ending = Ending::of(session.passes_signals(), &invocation);
        let Invocation { program, shown, pty, stdin, has_secret, .. } = invocation;
        if has_secret {
            session.admit_secret(&shown)?;
        }
        let group = if ending == Ending::Group { Some(Group::new()?) } else { None };
        let script = match &group {
            Some(group) => body(&program).map(|body| group.script(&body)),
            None => ending.script(&program),
        };
        // In a group of its own, so that all of it can be ended.
        let program = match script {
            Some(script) if session.makes_groups() => Program::Script(script.into()),
            Some(script) => Program::Line(sh_command_in_session(&script).into()),
            None => program,
        };
        let reply = session.start_reply();
        let mut starts = 1;
        let Started { channel, slot, early } = loop {
            match session.open().await?.start(&program, pty.as_ref(), reply).await {
                Ok(started) => break started,
                Err(NotStarted::NoPty) => return Err(session.refused_pty(&shown)),
                Err(NotStarted::Closed) if starts < STARTS => starts += 1,
                Err(NotStarted::Closed) => return Err(session.closed_before()),
                Err(NotStarted::Lost) => return Err(session.lost_before().await),
            }
        };
        let (read, write) = channel.split();
        let write = Arc::new(write);
        let feed = Feed::new(Arc::clone(&write), session.outflow(), stdin, pty.is_some(), ending);
        Ok(Self { read, write, feed, pty, session, shown, ending, group, early, following: None, _slot: slot })
    }

    /// Returns what arrives next on the channel.
    async fn arrives(&mut self) -> Message {
        loop {
            let early = self.early.take();
            let message = tokio::select! {
                biased;
                () = std::future::ready(()), if early.is_some() => early,
                () = self.feed.step() => continue,
                size = resized(&mut self.pty) => {
                    drop(self.write.window_change(size.columns.into(), size.rows.into(), 0, 0).await);
                    continue;
                }
                message = self.read.wait() => message,
            };
            return match message {
                Some(ChannelMsg::Data { data }) => Message::Data(Stream::Stdout, data),
                Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => Message::Data(Stream::Stderr, data),
                Some(ChannelMsg::ExitStatus { exit_status }) => Message::Exit(ExitStatus::Code(exit_status)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    Message::Exit(ExitStatus::Signal(from_russh(&signal_name)))
                }
                Some(ChannelMsg::Failure) => Message::Refused,
                // RFC 4254 §5.3: neither does it mean close, nor that the command has ended.
                Some(ChannelMsg::Eof) => Message::Whole,
                Some(ChannelMsg::Close) => Message::Closed,
                // Window changes and confirmations.
                Some(_) => continue,
                None => Message::Lost(self.session.lost(&self.shown).await),
            };
        }
    }

    /// Sends what is to be sent to the process group, in order.
    fn signal_group(&mut self) {
        if let Some(group) = &mut self.group {
            group.send(|line| side_channel::begin(&self.session, line));
        }
    }
}

impl Wire for ChannelWire {
    async fn next(&mut self) -> Message {
        if let Some(following) = self.following.take() {
            return following;
        }
        loop {
            let message = self.arrives().await;
            let Some(group) = &mut self.group else { return message };
            match message {
                Message::Data(Stream::Stderr, data) => {
                    let left = group.heard(data);
                    self.signal_group();
                    if !left.is_empty() {
                        return Message::Data(Stream::Stderr, left);
                    }
                }
                Message::Exit(_) => {
                    group.shell_ended();
                    return message;
                }
                Message::Data(Stream::Stdout, _) | Message::Refused => return message,
                // Nothing follows any more.
                Message::Whole | Message::Closed | Message::Lost(_) => {
                    let Some(rest) = group.rest() else { return message };
                    self.following = Some(message);
                    return Message::Data(Stream::Stderr, rest);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<()> {
        if answer.has_secret {
            self.session.admit_secret(&self.shown)?;
        }
        self.feed.answer(answer).map_err(unread)
    }

    async fn signal(&mut self, signal: Signal) {
        if let Some(group) = &mut self.group {
            group.wants(signal.clone());
            if group.is_known() {
                return self.signal_group();
            }
        }
        let told = async {
            match (self.ending.words(&signal), self.ending) {
                (Some(words), _) => self.write.data_bytes(words).await,
                (None, Ending::Input) => self.write.eof().await,
                (None, _) => self.write.signal(to_russh(&signal)).await,
            }
        };
        drop(tokio::time::timeout(SIGNAL_WAIT, told).await);
    }

    fn reaches_all(&self) -> bool {
        self.group.as_ref().is_none_or(Group::is_whole)
    }

    async fn close(&mut self) {
        self.feed.stop();
        drop(tokio::time::timeout(SIGNAL_WAIT, self.write.close()).await);
    }
}

/// Waits until a pty has another size.
async fn resized(pty: &mut Option<Pty>) -> Size {
    match pty {
        Some(pty) => pty.resized().await,
        None => std::future::pending().await,
    }
}

/// The signals of RFC 4254 §6.10 as russh names them.
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
            let is_it = |known: &Sig| std::mem::discriminant(known) == std::mem::discriminant(named);
            Signal::new(SIGNALS.iter().find(|(_, known)| is_it(known)).map_or("", |(name, _)| name))
        }
    }
}

impl fmt::Debug for ChannelWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelWire").field("id", &self.write.id()).finish_non_exhaustive()
    }
}
