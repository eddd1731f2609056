//! [`LineStream`]: streams the stdout of a running command line by line.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures::stream::{FusedStream, Stream};

use super::spawned::Spawned;
use super::watch::Watcher;
use crate::error::{Error, ErrorKind, Result};
use crate::event;
use crate::mutex::lock;
use crate::transport::Answer;

/// The maximum number of unread bytes. More output ends the command: a full channel would block the
/// session.
const MAX_QUEUED_BYTES: usize = 64 << 20;

/// The stream of the stdout lines of a running command, without their line ends. Created by
/// [`Command::stream_lines`](super::Command::stream_lines).
///
/// The stream ends with the command. If the command fails, the last item is the error.
///
/// # Cancel safety
///
/// Dropping the stream kills the command.
#[must_use = "dropping the stream kills the command"]
pub struct LineStream {
    queue: SharedQueue,
    command: Option<Spawned>,
    /// The error of the ended command, while lines are unread.
    end: Option<Error>,
}

impl LineStream {
    pub(super) fn new(queue: SharedQueue, command: Spawned) -> Self {
        Self { queue, command: Some(command), end: None }
    }

    /// Writes to the stdin of the command, like [`Spawned::write`].
    ///
    /// # Errors
    ///
    /// As [`Spawned::write`], and [`ErrorKind::Usage`] if the command has ended.
    pub fn write<B: Into<Bytes>>(&self, bytes: B) -> impl Future<Output = Result<()>> + Send + use<B> {
        let written = self.command.as_ref().map(|command| command.write(bytes));
        async move {
            match written {
                Some(written) => written.await,
                None => Err(Error::new(ErrorKind::Usage, "the command has ended")),
            }
        }
    }

    /// Ends the stdin of the command, like [`Spawned::end_input`].
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
                // The command is polled in both cases: a command that did not start produces no
                // lines, but an error.
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

/// The unread lines.
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

/// Returns the memory used by a line. An empty line uses memory too.
fn memory_size(line: &str) -> usize {
    line.len() + size_of::<String>() + 16
}

/// A watcher that splits stdout into queued lines.
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
        let text = "too many lines are unread, so the command was ended";
        self.has_overflowed.then(|| Error::new(ErrorKind::Truncated, text))
    }
}

impl fmt::Debug for LineSplitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineSplitter").field("has_overflowed", &self.has_overflowed).finish_non_exhaustive()
    }
}
