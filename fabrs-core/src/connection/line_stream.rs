//! The lines of a command, as they come.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures::stream::{FusedStream, Stream};

use super::spawned::Spawned;
use super::watch::Watcher;
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::transport::Answer;

/// How many bytes may wait for whoever reads the lines: a channel can't be left full, so what is beyond ends the command.
const MAX_QUEUED_BYTES: usize = 64 << 20;

/// The lines that a running command writes to its stdout, without their ends: made by
/// [`Command::stream_lines`](super::Command::stream_lines). It ends with the command; that one has failed is its last item.
///
/// # Cancel safety
///
/// Dropping it ends the command.
#[must_use = "dropping it ends the command"]
pub struct LineStream {
    queue: SharedQueue,
    command: Option<Spawned>,
    /// How the command ended, while lines of it are left.
    end: Option<Error>,
}

impl LineStream {
    pub(super) fn new(queue: SharedQueue, command: Spawned) -> Self {
        Self { queue, command: Some(command), end: None }
    }

    /// Writes to the command's input: [`Spawned::write`].
    ///
    /// # Errors
    ///
    /// As there, and [`ErrorKind::Usage`] where the command has ended.
    pub fn write<B: Into<Bytes>>(&self, bytes: B) -> impl Future<Output = Result<()>> + Send + use<B> {
        let written = self.command.as_ref().map(|command| command.write(bytes));
        async move {
            match written {
                Some(written) => written.await,
                None => Err(Error::new(ErrorKind::Usage, "the command has ended")),
            }
        }
    }

    /// Ends the command's input: [`Spawned::end_input`].
    pub fn end_input(&mut self) {
        if let Some(command) = &mut self.command {
            command.end_input();
        }
    }
}

impl Stream for LineStream {
    type Item = Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = lock(&self.queue).poll_next(cx);
            match next {
                Poll::Ready(Some(line)) => return Poll::Ready(Some(Ok(line))),
                Poll::Ready(None) if self.command.is_none() => return Poll::Ready(self.end.take().map(Err)),
                // Asked also while lines may come: a command that never began tells of its end alone.
                Poll::Ready(None) | Poll::Pending => {}
            }
            let Some(command) = &mut self.command else { return Poll::Pending };
            self.end = ready!(command.poll_end(cx)).err();
            self.command = None;
            lock(&self.queue).ended = true;
        }
    }
}

impl FusedStream for LineStream {
    fn is_terminated(&self) -> bool {
        self.command.is_none() && self.end.is_none() && lock(&self.queue).lines.is_empty()
    }
}

impl fmt::Debug for LineStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineStream").field("command", &self.command).finish_non_exhaustive()
    }
}

/// Lines on their way to who reads them.
#[derive(Default)]
pub(super) struct LineQueue {
    lines: VecDeque<String>,
    bytes: usize,
    ended: bool,
    reader: Option<Waker>,
}

pub(super) type SharedQueue = Arc<Mutex<LineQueue>>;

impl LineQueue {
    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<String>> {
        match self.lines.pop_front() {
            Some(line) => {
                self.bytes -= memory_size(&line);
                Poll::Ready(Some(line))
            }
            None if self.ended => Poll::Ready(None),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        self.bytes += memory_size(&line);
        self.lines.push_back(line);
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Returns how much memory a line takes, an empty one too.
fn memory_size(line: &str) -> usize {
    line.len() + size_of::<String>() + 16
}

fn lock(queue: &SharedQueue) -> MutexGuard<'_, LineQueue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cuts stdout into lines and hands them on.
pub(super) struct LineSplitter {
    partial: Vec<u8>,
    queue: SharedQueue,
    has_overflowed: bool,
}

impl LineSplitter {
    pub(super) fn new(queue: &SharedQueue) -> Self {
        Self { partial: Vec::new(), queue: Arc::clone(queue), has_overflowed: false }
    }
}

impl Watcher for LineSplitter {
    fn receive(&mut self, stream: event::Stream, bytes: &[u8], answer: &mut Answer) {
        if stream != event::Stream::Stdout || self.has_overflowed {
            return;
        }
        let mut queue = lock(&self.queue);
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if self.partial.is_empty() {
                queue.add(line);
            } else {
                self.partial.extend_from_slice(line);
                queue.add(&std::mem::take(&mut self.partial));
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.partial.extend_from_slice(rest);
        self.has_overflowed = queue.bytes + self.partial.len() > MAX_QUEUED_BYTES;
        queue.ended |= self.has_overflowed;
        if self.has_overflowed {
            answer.stop();
        }
        queue.wake();
    }

    fn ended(&mut self) {
        let mut queue = lock(&self.queue);
        let rest = std::mem::take(&mut self.partial);
        if !rest.is_empty() && !self.has_overflowed {
            queue.add(&rest);
        }
        queue.ended = true;
        queue.wake();
    }

    fn failure(&self) -> Option<Error> {
        let text = "more was printed than was read of it, and the command was ended";
        self.has_overflowed.then(|| Error::new(ErrorKind::Truncated, text))
    }
}

impl fmt::Debug for LineSplitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineSplitter").field("has_overflowed", &self.has_overflowed).finish_non_exhaustive()
    }
}
