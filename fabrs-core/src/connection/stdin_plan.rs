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

use super::process_stdin;
use super::watch::{Watcher, Watchers};
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::output::Signal;
use crate::state::RunState;
use crate::transport::{Answer, SignalQueue, StdinSource};

/// How much is read at a time.
const READ_CHUNK_SIZE: usize = 64 << 10;
/// How many chunks may wait for the command.
pub(super) const MAX_QUEUED_CHUNKS: usize = 4;
/// How long a command has to end whose input can't be read any more, before each signal.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// What a command reads.
#[derive(Default)]
pub(super) enum StdinPlan {
    /// The end of file at once.
    #[default]
    Empty,
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
    Chunks(mpsc::Receiver<Bytes>),
}

impl StdinPlan {
    /// Returns it for one attempt of several, where it can be had again.
    pub(super) fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::File(path) => Some(Self::File(path.clone())),
            Self::Answers | Self::Reader(_) | Self::Inherited | Self::Open | Self::Chunks(_) => None,
        }
    }

    /// Makes what writes to an open input; nothing where it is not.
    pub(super) fn open_writer(&mut self) -> Option<mpsc::Sender<Bytes>> {
        let Self::Open = self else { return None };
        let (sender, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
        *self = Self::Chunks(chunks);
        Some(sender)
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Lets it go where nothing is run: what is written to it is taken, and nothing is read or has to be there.
    pub(super) fn discard(self, run: &RunState) {
        if let Self::Chunks(mut chunks) = self {
            run.tasks().spawn(async move { while chunks.recv().await.is_some() {} });
        }
    }

    /// Begins to feed it, with `prefix` in front.
    pub(super) fn into_source(self, prefix: Bytes, writer: &StdinWriter<'_>) -> Result<StdinSource> {
        Ok(match self {
            Self::Empty if prefix.is_empty() => StdinSource::Empty,
            Self::Empty => StdinSource::Bytes(prefix),
            Self::Bytes(bytes) if prefix.is_empty() => StdinSource::Bytes(bytes),
            Self::Bytes(bytes) => StdinSource::Bytes([&prefix[..], &bytes[..]].concat().into()),
            Self::Answers => StdinSource::Answers(prefix),
            Self::File(path) => {
                let unreadable = |source| {
                    let text = format!("could not read `{}`, which the command is to read", path.display());
                    Error::new(ErrorKind::Local, text).caused_by(source)
                };
                let file = std::fs::File::open(&path).map_err(unreadable)?;
                writer.spawn(ReaderStream::with_capacity(tokio::fs::File::from_std(file), READ_CHUNK_SIZE), prefix)
            }
            Self::Reader(reader) => {
                let reader = reader.into_inner().unwrap_or_else(PoisonError::into_inner);
                writer.spawn(ReaderStream::with_capacity(reader, READ_CHUNK_SIZE), prefix)
            }
            Self::Inherited => {
                writer.spawn(receiver_stream(process_stdin::read_chunks(MAX_QUEUED_CHUNKS, writer.run)?), prefix)
            }
            Self::Open => {
                let text = "an open input is written by the handle of a command that is spawned";
                return Err(
                    Error::new(ErrorKind::Usage, text).hint("say `.spawn()?`, and `.write(..)` to what it returns")
                );
            }
            Self::Chunks(chunks) if prefix.is_empty() => StdinSource::Pieces(chunks),
            Self::Chunks(chunks) => writer.spawn(receiver_stream(chunks).map(Ok), prefix),
        })
    }
}

/// What a command is fed by, while it runs.
pub(super) struct StdinWriter<'a> {
    pub(super) run: &'a RunState,
    pub(super) signals: &'a SignalQueue,
    pub(super) watchers: &'a Watchers,
}

impl StdinWriter<'_> {
    /// Has a task of the client hand on what comes as fast as the command takes it; it ends with either of the two.
    fn spawn(
        &self,
        mut source: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
        prefix: Bytes,
    ) -> StdinSource {
        let (sender, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
        let (signals, failure) = (self.signals.clone(), ReadFailure::default());
        self.watchers.add(Box::new(failure.clone()));
        self.run.tasks().spawn(async move {
            let mut next = (!prefix.is_empty()).then_some(Ok(prefix));
            loop {
                let sent = match next {
                    Some(Ok(chunk)) => sender.send(chunk).await,
                    Some(Err(source)) => return abort_command(source, &failure, &signals, &sender).await,
                    None => Ok(()),
                };
                if sent.is_err() {
                    return;
                }
                next = tokio::select! {
                    () = sender.closed() => return,
                    chunk = source.next() => match chunk {
                        None => return,
                        chunk => chunk,
                    },
                };
            }
        });
        StdinSource::Pieces(chunks)
    }
}

/// Returns what comes through a channel, until it is closed.
fn receiver_stream<T>(mut chunks: mpsc::Receiver<T>) -> impl Stream<Item = T> + Unpin {
    stream::poll_fn(move |cx| chunks.poll_recv(cx))
}

/// Ends a command whose input can't be read any more: an end of file would let it take half of it for the whole.
async fn abort_command(source: io::Error, failure: &ReadFailure, signals: &SignalQueue, sender: &mpsc::Sender<Bytes>) {
    *failure.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(read_error(source));
    for signal in ["TERM", "KILL"] {
        // Where too many wait already, one of them ends it.
        let _ = signals.send(Signal::new(signal));
        if timeout(KILL_GRACE, sender.closed()).await.is_ok() {
            return;
        }
    }
}

fn read_error(source: io::Error) -> Error {
    Error::new(ErrorKind::Local, "could not read what the command is to read").caused_by(source)
}

/// Makes a command fail whose input could not be read.
#[derive(Debug, Clone, Default)]
struct ReadFailure(Arc<Mutex<Option<Error>>>);

impl Watcher for ReadFailure {
    fn receive(&mut self, _: event::Stream, _: &[u8], _: &mut Answer) {}

    fn failure(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Shows what it is and not what is in it: input is where passwords travel.
impl fmt::Debug for StdinPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Bytes(_) => "bytes",
            Self::Answers => "answers",
            Self::File(_) => "a file",
            Self::Reader(_) => "a reader",
            Self::Inherited => "inherited",
            Self::Open => "open",
            Self::Chunks(_) => "chunks",
        })
    }
}
