//! [`StdinPlan`]: the source of a command's stdin, and the task that sends the bytes.

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
use crate::mutex::lock;
use crate::output::Signal;
use crate::state::RunState;
use crate::transport::{Answer, SignalQueue, StdinSource};

/// The maximum number of bytes of a read.
const READ_CHUNK_SIZE: usize = 64 << 10;
/// The maximum number of unsent chunks.
pub(super) const MAX_QUEUED_CHUNKS: usize = 4;
/// The grace period before the next signal, for a command whose input failed.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// The source of a command's stdin.
#[derive(Default)]
pub(super) enum StdinPlan {
    /// The end of file immediately.
    #[default]
    Empty,
    /// Fixed bytes.
    Bytes(Bytes),
    /// The answers of the watchers.
    Answers,
    /// A file of this machine.
    File(PathBuf),
    /// An asynchronous reader.
    Reader(Mutex<Box<dyn AsyncRead + Send + Unpin>>),
    /// The stdin of this program.
    Inherited,
    /// The writes of the command's handle, after `spawn`.
    Open,
    /// A channel of chunks.
    Chunks(mpsc::Receiver<Bytes>),
}

impl StdinPlan {
    /// Returns a copy for another attempt, if the source can be read again.
    pub(super) fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::File(path) => Some(Self::File(path.clone())),
            Self::Answers | Self::Reader(_) | Self::Inherited | Self::Open | Self::Chunks(_) => None,
        }
    }

    /// Opens the writer of an open stdin. Returns `None` for all other sources.
    pub(super) fn open_writer(&mut self) -> Option<mpsc::Sender<Bytes>> {
        let Self::Open = self else { return None };
        let (sender, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
        *self = Self::Chunks(chunks);
        Some(sender)
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Discards the stdin of a planned command. Writes to an open stdin succeed, and no source is
    /// read.
    pub(super) fn discard(self, run: &RunState) {
        if let Self::Chunks(mut chunks) = self {
            run.tasks().spawn(async move { while chunks.recv().await.is_some() {} });
        }
    }

    /// Starts the source, with `prefix` before all other bytes.
    pub(super) fn into_source(self, prefix: Bytes, writer: &StdinWriter<'_>) -> Result<StdinSource> {
        Ok(match self {
            Self::Empty if prefix.is_empty() => StdinSource::Empty,
            Self::Empty => StdinSource::Bytes(prefix),
            Self::Bytes(bytes) if prefix.is_empty() => StdinSource::Bytes(bytes),
            Self::Bytes(bytes) => StdinSource::Bytes([&prefix[..], &bytes[..]].concat().into()),
            Self::Answers => StdinSource::Answers(prefix),
            Self::File(path) => {
                let unreadable = |source| {
                    let text = format!("could not read `{}` for the stdin of the command", path.display());
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
                let text = "an open stdin requires a spawned command";
                return Err(
                    Error::new(ErrorKind::Usage, text).hint("call `.spawn()?`, then `.write(..)` on the handle")
                );
            }
            Self::Chunks(chunks) if prefix.is_empty() => StdinSource::Pieces(chunks),
            Self::Chunks(chunks) => writer.spawn(receiver_stream(chunks).map(Ok), prefix),
        })
    }
}

/// The context of the task that sends the stdin of a command.
pub(super) struct StdinWriter<'a> {
    pub(super) run: &'a RunState,
    pub(super) signals: &'a SignalQueue,
    pub(super) watchers: &'a Watchers,
}

impl StdinWriter<'_> {
    /// Spawns a task to send the chunks at the speed of the command. The task ends with the source
    /// or the command.
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

/// Returns the values of a channel as a stream, until the channel is closed.
fn receiver_stream<T>(mut chunks: mpsc::Receiver<T>) -> impl Stream<Item = T> + Unpin {
    stream::poll_fn(move |cx| chunks.poll_recv(cx))
}

/// Ends a command whose input failed. After an end of file, the command would treat partial input
/// as complete.
async fn abort_command(source: io::Error, failure: &ReadFailure, signals: &SignalQueue, sender: &mpsc::Sender<Bytes>) {
    *lock(&failure.0) = Some(read_error(source));
    for signal in ["TERM", "KILL"] {
        // If the signal queue is full, a queued signal ends the command.
        let _ = signals.send(Signal::new(signal));
        if timeout(KILL_GRACE, sender.closed()).await.is_ok() {
            return;
        }
    }
}

fn read_error(source: io::Error) -> Error {
    Error::new(ErrorKind::Local, "could not read the stdin of the command").caused_by(source)
}

/// The watcher that fails a command after a read error of the input.
#[derive(Debug, Clone, Default)]
struct ReadFailure(Arc<Mutex<Option<Error>>>);

impl Watcher for ReadFailure {
    fn receive(&mut self, _: event::Stream, _: &[u8], _: &mut Answer) {}

    fn failure(&self) -> Option<Error> {
        lock(&self.0).clone()
    }
}

/// Shows the kind of the source, not the content: passwords are passed as input.
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
