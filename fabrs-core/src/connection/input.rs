//! What a command reads on its standard input: said before it starts, and fed to it from then on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use super::own_stdin;
use super::watch::{Watcher, Watchers};
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::output::Signal;
use crate::state::RunState;
use crate::transport::{Answer, SignalQueue, StdinSource};

/// How much is read at a time.
const PIECE: usize = 64 << 10;
/// How many pieces may wait for the command.
pub(super) const WAITING: usize = 4;
/// How long a command has to end whose input can't be read any more, before each signal.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a command reads.
#[derive(Default)]
pub(super) enum Input {
    /// The end of file at once.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Bytes),
    /// What its watchers answer.
    Answers,
    /// A file of this machine.
    File(PathBuf),
    /// What this yields.
    Reader(Mutex<Box<dyn AsyncRead + Send + Unpin>>),
    /// What this program's own standard input yields.
    Inherited,
    /// What its handle is told to write, once it is spawned.
    Open,
    /// What is sent here.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Input {
    /// Returns it for one attempt of several, where it can be had again.
    pub(super) fn once_more(&self) -> Option<Self> {
        match self {
            Self::Nothing => Some(Self::Nothing),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::File(path) => Some(Self::File(path.clone())),
            Self::Answers | Self::Reader(_) | Self::Inherited | Self::Open | Self::Pieces(_) => None,
        }
    }

    /// Makes what writes to an open input; nothing where it is not.
    pub(super) fn open(&mut self) -> Option<mpsc::Sender<Bytes>> {
        let Self::Open = self else { return None };
        let (sender, pieces) = mpsc::channel(WAITING);
        *self = Self::Pieces(pieces);
        Some(sender)
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Lets it go where nothing is run: what is written to it is taken, and nothing is read or has to be there.
    pub(super) fn discard(self, run: &RunState) {
        if let Self::Pieces(mut pieces) = self {
            run.tasks().spawn(async move { while pieces.recv().await.is_some() {} });
        }
    }

    /// Begins to feed it, with `first` in front.
    pub(super) fn begin(self, first: Bytes, feeder: &Feeder<'_>) -> Result<StdinSource> {
        Ok(match self {
            Self::Nothing if first.is_empty() => StdinSource::Empty,
            Self::Nothing => StdinSource::Bytes(first),
            Self::Bytes(bytes) if first.is_empty() => StdinSource::Bytes(bytes),
            Self::Bytes(bytes) => StdinSource::Bytes([&first[..], &bytes[..]].concat().into()),
            Self::Answers => StdinSource::Answers(first),
            Self::File(path) => {
                let unreadable = |source| {
                    let text = format!("could not read `{}`, which the command is to read", path.display());
                    Error::new(ErrorKind::Local, text).caused_by(source)
                };
                let file = std::fs::File::open(&path).map_err(unreadable)?;
                feeder.feed(ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE), first)
            }
            Self::Reader(reader) => {
                let reader = reader.into_inner().unwrap_or_else(PoisonError::into_inner);
                feeder.feed(ReaderStream::with_capacity(reader, PIECE), first)
            }
            Self::Inherited => feeder.feed(received(own_stdin::pieces(WAITING, feeder.run)?), first),
            Self::Open => {
                let text = "an open input is written by the handle of a command that is spawned";
                return Err(
                    Error::new(ErrorKind::Usage, text).hint("say `.spawn()?`, and `.write(..)` to what it returns")
                );
            }
            Self::Pieces(pieces) if first.is_empty() => StdinSource::Pieces(pieces),
            Self::Pieces(pieces) => feeder.feed(received(pieces).map(Ok), first),
        })
    }
}

/// What a command is fed by, while it runs.
pub(super) struct Feeder<'a> {
    pub(super) run: &'a RunState,
    pub(super) signals: &'a SignalQueue,
    pub(super) watchers: &'a Watchers,
}

impl Feeder<'_> {
    /// Has a task of the client hand on what comes as fast as the command takes it; it ends with either of the two.
    fn feed(
        &self,
        mut from: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
        first: Bytes,
    ) -> StdinSource {
        let (sender, pieces) = mpsc::channel(WAITING);
        let (signals, unread) = (self.signals.clone(), Unread::default());
        self.watchers.add(Box::new(unread.clone()));
        self.run.tasks().spawn(async move {
            let mut next = (!first.is_empty()).then_some(Ok(first));
            loop {
                let sent = match next {
                    Some(Ok(piece)) => sender.send(piece).await,
                    Some(Err(source)) => return give_up(source, &unread, &signals, &sender).await,
                    None => Ok(()),
                };
                if sent.is_err() {
                    return;
                }
                next = tokio::select! {
                    () = sender.closed() => return,
                    piece = from.next() => match piece {
                        None => return,
                        piece => piece,
                    },
                };
            }
        });
        StdinSource::Pieces(pieces)
    }
}

/// Returns what comes through a channel, until it is closed.
fn received<T>(mut pieces: mpsc::Receiver<T>) -> impl Stream<Item = T> + Unpin {
    stream::poll_fn(move |cx| pieces.poll_recv(cx))
}

/// Ends a command whose input can't be read any more: an end of file would let it take half of it for the whole.
async fn give_up(source: io::Error, why: &Unread, signals: &SignalQueue, sender: &mpsc::Sender<Bytes>) {
    *why.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(unread(source));
    for signal in ["TERM", "KILL"] {
        // Where too many wait already, one of them ends it.
        let _ = signals.send(Signal::new(signal));
        if timeout(PATIENCE, sender.closed()).await.is_ok() {
            return;
        }
    }
}

fn unread(source: io::Error) -> Error {
    Error::new(ErrorKind::Local, "could not read what the command is to read").caused_by(source)
}

/// Makes a command fail whose input could not be read.
#[derive(Debug, Clone, Default)]
struct Unread(Arc<Mutex<Option<Error>>>);

impl Watcher for Unread {
    fn receive(&mut self, _: event::Stream, _: &[u8], _: &mut Answer) {}

    fn failure(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Shows what it is and not what is in it: input is where passwords travel.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Bytes(_) => "bytes",
            Self::Answers => "answers",
            Self::File(_) => "a file",
            Self::Reader(_) => "a reader",
            Self::Inherited => "inherited",
            Self::Open => "open",
            Self::Pieces(_) => "pieces",
        })
    }
}
