//! One session channel as the wire that a command is carried over.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};

use super::lifeline::Ending;
use super::open_channel::{NotStarted, OpenChannel};
use super::session::Session;
use super::slots::Slot;
use crate::error::Result;
use crate::event::Stream;
use crate::output::{ExitStatus, Signal};
use crate::transport::drive::{Message, Wire};
use crate::transport::{Invocation, Stdin};

/// How long a signal may wait for its place in the session's queue: a session whose network stalls must not keep a
/// cancel from climbing on.
const SIGNAL_WAIT: Duration = Duration::from_millis(200);
/// What a terminal takes for the end of file (`stty eof`), unless a program has changed it.
const END_OF_TRANSMISSION: u8 = 4;
/// RFC 4254 §5.2 defines one kind of extended data.
const STDERR: u32 = 1;

/// A command's channel.
pub(super) struct ChannelWire {
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    /// What still writes the command's input. Raced against the reading: a writer that waits for window is never woken
    /// when its channel ends, so it must be possible to drop it.
    feed: Option<BoxFuture<'static, ()>>,
    session: Arc<Session>,
    command: Arc<str>,
    ending: Ending,
    /// Given back when the wire is dropped, which is after the channel's CLOSE.
    _slot: Slot,
}

impl ChannelWire {
    /// Starts a command on an open channel: one packet whose reply is not waited for. With a pty it is a round trip
    /// more, so that a command that needs one never runs without.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, the channel closes itself and ends what it started.
    pub(super) async fn start(session: Arc<Session>, open: OpenChannel, invocation: &Invocation) -> Result<Self> {
        let command = Arc::clone(&invocation.command);
        let ending = Ending::of(session.user(), invocation);
        let sent = Invocation { command: ending.line(&command).into(), ..invocation.clone() };
        let (channel, slot) = match open.exec(&sent).await {
            Ok(started) => started,
            Err(NotStarted::NoPty) => return Err(session.refused_pty(&command)),
            Err(NotStarted::Lost) => return Err(session.lost_before().await),
        };
        let (read, write) = channel.split();
        let write = Arc::new(write);
        let mut input = match &invocation.stdin {
            Stdin::Empty => Bytes::new(),
            Stdin::Bytes(bytes) => bytes.clone(),
        };
        if invocation.pty {
            input = typed(&input);
        }
        let to = Arc::clone(&write);
        let feed = match ending {
            Ending::Signal => Some(feed(to, input).boxed()),
            // After an end of file no key could be sent; the terminal's own character has to do.
            Ending::Key => Some(async move { drop(to.data_bytes(input).await) }.boxed()),
            // The watcher reads the end of file as the end of the connection.
            Ending::Watcher => None,
        };
        Ok(Self { read, write, feed, session, command, ending, _slot: slot })
    }
}

/// Returns input as it is typed on a terminal, whose end of file is a character: sshd can't close a pty for reading
/// only. In the middle of a line the first of them just hands the line over.
fn typed(input: &Bytes) -> Bytes {
    let in_a_line = input.last().is_some_and(|last| *last != b'\n');
    let end: &[u8] = if in_a_line { &[END_OF_TRANSMISSION; 2] } else { &[END_OF_TRANSMISSION] };
    [input, end].concat().into()
}

/// Writes the input, then the end of file. A failure means the channel is gone, which the reading side tells.
async fn feed(write: Arc<ChannelWriteHalf<Msg>>, input: Bytes) {
    if write.data_bytes(input).await.is_ok() {
        drop(write.eof().await);
    }
}

impl Wire for ChannelWire {
    async fn next(&mut self) -> Message {
        loop {
            let message = match &mut self.feed {
                None => self.read.wait().await,
                Some(feed) => tokio::select! {
                    biased;
                    () = feed => {
                        self.feed = None;
                        continue;
                    }
                    message = self.read.wait() => message,
                },
            };
            return match message {
                Some(ChannelMsg::Data { data }) => Message::Data(Stream::Stdout, data),
                Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => Message::Data(Stream::Stderr, data),
                Some(ChannelMsg::ExitStatus { exit_status }) => Message::Exit(ExitStatus::Code(exit_status)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    Message::Exit(ExitStatus::Signal(from_russh(&signal_name)))
                }
                Some(ChannelMsg::Failure) => Message::Refused,
                Some(ChannelMsg::Close) => Message::Closed,
                // Window changes, confirmations, and the end of one stream: RFC 4254 §5.3, EOF does not mean close.
                Some(_) => continue,
                None => Message::Lost(self.session.lost(&self.command).await),
            };
        }
    }

    async fn signal(&mut self, signal: Signal) {
        let told = async {
            match self.ending.words(&signal) {
                Some(words) => self.write.data_bytes(words).await,
                None => self.write.signal(to_russh(&signal)).await,
            }
        };
        drop(tokio::time::timeout(SIGNAL_WAIT, told).await);
    }

    async fn close(&mut self) {
        self.feed = None;
        drop(tokio::time::timeout(SIGNAL_WAIT, self.write.close()).await);
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
