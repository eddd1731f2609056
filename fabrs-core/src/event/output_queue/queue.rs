//! [`OutputQueue`]: one thread that writes what sinks hand over, so that nobody else waits for a slow terminal.
//!
//! Used by the sinks that print. A caller's piece is copied into the block being filled; full blocks wait in the
//! blocks, first in memory and then in a file; the writer takes a block at a time.

use std::fmt;
use std::io::Write;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;

use crate::error::Error;
use crate::event::output_queue::block::Block;
use crate::event::output_queue::block_queue::{BlockQueue, MakeFile, QueuedBlock};
use crate::event::output_queue::destinations::{Destinations, WriterStatus};
use crate::event::output_queue::stdio;
use crate::event::stream::Stream;

/// How long a piece may be to stay in one block; at most an eighth of a block is left empty for that.
const MAX_UNSPLIT_LEN: usize = Block::SIZE / 8;

/// Writes bytes for stdout and stderr from a thread of its own, in the order in which they were handed over.
///
/// [`push`](Self::push) never waits for the destination. At most 4 MiB wait in memory; what is beyond that waits in a
/// temporary file that has no name. Where no such file can be had, up to 32 MiB are kept in memory, and of what even that
/// does not hold a line on stderr says how much is missing and why, at the slot where it is missing.
///
/// A stream that is closed by its reader, as by `head`, is no error: the rest is dropped quietly. Any other failure to
/// write to a stream drops the rest as well: [`lost_output_error`](Self::lost_output_error) returns the error.
///
/// Dropping it waits for nothing; the thread writes what is left, as long as the process lives.
///
/// ```
/// use std::io::Read as _;
///
/// use fabrs_core::event::{OutputQueue, Stream};
///
/// let (mut reader, stdout) = std::io::pipe()?;
/// let spool = OutputQueue::new(stdout, std::io::stderr(), || {});
/// spool.push(Stream::Stdout, b"done\n");
/// spool.finish();
/// drop(spool);
///
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "done\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct OutputQueue {
    pub(super) shared: Arc<SharedState>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the callers and the writer share.
pub(super) struct SharedState {
    pub(super) queue: Mutex<QueueState>,
    filled: Condvar,
    /// Notified when the writer has written a block, or has nothing to write.
    progress: Notify,
    /// Held by the writer as long as it lives.
    pub(super) destinations: Mutex<Destinations>,
    status: Arc<WriterStatus>,
}

/// What waits to be written: first the blocks, then the block being filled.
pub(super) struct QueueState {
    filling: Block,
    pub(super) blocks: BlockQueue,
    /// Whether the writer sleeps. A wakeup is a system call, which a writer that is busy does not need.
    is_idle: bool,
    /// How often it is held: then nothing is written.
    pause_count: usize,
    is_closed: bool,
    /// The number of bytes that were accepted, and that the writer has taken and written or given up.
    accepted: u64,
    written: u64,
}

impl QueueState {
    /// Returns true if the writer has written the first `bytes`, or writes nothing since it is held.
    fn has_written(&self, bytes: u64) -> bool {
        self.written >= bytes || self.is_closed || (self.pause_count > 0 && self.is_idle)
    }
}

impl OutputQueue {
    /// Writes to the stdout and stderr of the process, and calls `on_stdout_broken` as [`OutputQueue::new`] does.
    pub fn stdio(on_stdout_broken: impl FnOnce() + Send + 'static) -> Self {
        Self::start(stdio::stdout(), stdio::stderr(), Box::new(on_stdout_broken), tempfile::tempfile)
    }

    /// Does the same, and has `around` do each write: it is given what writes, as where something else is drawn on the same
    /// terminal. It is called on the writer's thread.
    pub fn stdio_with_wrapper(
        on_stdout_broken: impl FnOnce() + Send + 'static,
        wrapper: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
    ) -> Self {
        let wrapper: stdio::WriteWrapper = Arc::new(wrapper);
        let [stdout, stderr] =
            [stdio::stdout(), stdio::stderr()].map(|stream| stdio::wrap_writes(stream, Arc::clone(&wrapper)));
        Self::start(stdout, stderr, Box::new(on_stdout_broken), tempfile::tempfile)
    }

    /// Writes to two streams, and calls `on_stdout_broken` once when `stdout` can't be written to any more.
    ///
    /// It is called on the writer's thread, so it may only give a sign to others.
    pub fn new(
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
        on_stdout_broken: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self::start(Box::new(stdout), Box::new(stderr), Box::new(on_stdout_broken), tempfile::tempfile)
    }

    pub(super) fn start(
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
        on_stdout_broken: Box<dyn FnOnce() + Send>,
        make_file: MakeFile,
    ) -> Self {
        let status = Arc::new(WriterStatus::default());
        let queue = QueueState {
            filling: Block::default(),
            blocks: BlockQueue::new(make_file),
            is_idle: false,
            pause_count: 0,
            is_closed: false,
            accepted: 0,
            written: 0,
        };
        let shared = Arc::new(SharedState {
            queue: Mutex::new(queue),
            filled: Condvar::new(),
            progress: Notify::new(),
            destinations: Mutex::new(Destinations::new(stdout, stderr, on_stdout_broken, Arc::clone(&status))),
            status,
        });
        let writer_state = Arc::clone(&shared);
        let writer = thread::Builder::new().name("fabrs-output".to_owned()).spawn(move || writer_state.write()).ok();
        // A process that may have no more threads still gets its output: every piece is then written by its caller.
        lock(&shared.queue).is_closed = writer.is_none();
        Self { shared, writer: Mutex::new(writer) }
    }

    /// Hands a piece over. Pieces are never mixed, and those of both streams are written in the order of the calls.
    ///
    /// After [`finish`](Self::finish) the caller writes by itself, and waits for that.
    pub fn push(&self, stream: Stream, bytes: &[u8]) {
        if !bytes.is_empty() && !self.shared.accept(stream, bytes) {
            self.finish();
            lock(&self.shared.destinations).write_run(stream, bytes);
        }
    }

    /// Waits until all earlier pieces are written. If the spool is held, waits only for a write in progress.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn flush(&self) {
        let accepted = lock(&self.shared.queue).accepted;
        loop {
            let mut progress = pin!(self.shared.progress.notified());
            // Before the look at the queue, or a notification in between would be lost.
            progress.as_mut().enable();
            if lock(&self.shared.queue).has_written(accepted) {
                return;
            }
            progress.await;
        }
    }

    /// Returns the number of bytes that were written or given up so far.
    pub fn written_bytes(&self) -> u64 {
        lock(&self.shared.queue).written
    }

    /// Stops writing. Each call needs a call of [`resume`](Self::resume). Returns at once. [`flush`](Self::flush)
    /// waits for a write in progress.
    pub fn pause(&self) {
        lock(&self.shared.queue).pause_count += 1;
    }

    /// Writes what has come meanwhile.
    pub fn resume(&self) {
        let mut queue = lock(&self.shared.queue);
        queue.pause_count = queue.pause_count.saturating_sub(1);
        queue.is_idle = false;
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Waits until everything is written, and ends the thread. Does nothing the second time.
    pub fn finish(&self) {
        self.shared.close();
        // The lock is held while waiting, so that whoever comes second waits as well.
        if let Some(writer) = lock(&self.writer).take() {
            // A thread that panicked has already said so; there is nothing to add here.
            drop(writer.join());
        }
    }

    /// Tells whether stdout can't be written to any more.
    pub fn is_broken(&self) -> bool {
        self.shared.status.is_stdout_broken.load(Ordering::Acquire)
    }

    /// Tells whether stdout can't be written to any more since its reader went away, as `head` does.
    pub fn is_reader_gone(&self) -> bool {
        self.shared.status.is_stdout_closed.load(Ordering::Acquire)
    }

    /// Returns how many bytes were lost so far, for another reason than a reader that has gone.
    pub fn lost_bytes(&self) -> u64 {
        self.shared.status.lost_output(|lost_output| lost_output.bytes())
    }

    /// Returns the error of output that was lost so far, for another reason than a reader that has gone: the streams, the
    /// number of bytes, and the causes.
    ///
    /// Call it after [`finish`](Self::finish) to know of all output.
    ///
    /// ```
    /// use fabrs_core::event::{OutputQueue, Stream};
    ///
    /// let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    /// let spool = OutputQueue::new(full, std::io::stderr(), || {});
    /// spool.push(Stream::Stdout, b"done\n");
    /// spool.finish();
    /// assert_eq!(spool.lost_output_error().unwrap().to_string(), "output was lost: 5 bytes of stdout");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lost_output_error(&self) -> Option<Error> {
        self.shared.status.lost_output(|lost_output| lost_output.error())
    }
}

impl Drop for OutputQueue {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for OutputQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputQueue").field("status", &self.shared.status).finish_non_exhaustive()
    }
}

impl SharedState {
    /// Queues a piece; refuses it when the queue is closed.
    fn accept(&self, stream: Stream, bytes: &[u8]) -> bool {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return false;
        }
        queue.accepted += bytes.len() as u64;
        let QueueState { filling, blocks, .. } = &mut *queue;
        // What is short stays in one block, so that no line is torn where a block has to be dropped.
        if filling.room() < bytes.len() && bytes.len() <= MAX_UNSPLIT_LEN {
            blocks.add(filling);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if filling.room() == 0 {
                blocks.add(filling);
            }
            let (piece, after) = rest.split_at(rest.len().min(filling.room()));
            filling.push(stream, piece);
            rest = after;
        }
        if std::mem::take(&mut queue.is_idle) {
            drop(queue);
            self.filled.notify_one();
        }
        true
    }

    fn close(&self) {
        lock(&self.queue).is_closed = true;
        self.filled.notify_one();
        self.progress.notify_waiters();
    }

    /// Writes until the queue is closed and empty: the life of the thread.
    fn write(&self) {
        let mut destinations = lock(&self.destinations);
        let (mut block, mut bytes) = (Block::default(), 0);
        while let Some(waiting) = self.next(block, bytes) {
            bytes = waiting.bytes();
            block = match waiting {
                QueuedBlock::Memory(block) => block,
                QueuedBlock::File(stored) => {
                    let mut block = lock(&self.queue).blocks.spare();
                    if let Err(dropped) = stored.read(&mut block) {
                        destinations.report(&dropped);
                    }
                    let file = lock(&self.queue).blocks.free_slot(&stored);
                    drop(file);
                    block
                }
                QueuedBlock::Dropped(dropped) => {
                    destinations.report(&dropped);
                    Block::default()
                }
            };
            destinations.write(&block);
        }
    }

    /// Gives back the block that was written, counts its `bytes`, and waits for the next block.
    fn next(&self, written: Block, bytes: u64) -> Option<QueuedBlock> {
        let mut queue = lock(&self.queue);
        queue.blocks.recycle(written);
        queue.written += bytes;
        self.progress.notify_waiters();
        loop {
            // At the end all is written, whoever holds it.
            if queue.pause_count == 0 || queue.is_closed {
                if let Some(waiting) = queue.blocks.take() {
                    return Some(waiting);
                }
                if !queue.filling.is_empty() {
                    let QueueState { filling, blocks, .. } = &mut *queue;
                    blocks.add(filling);
                    continue;
                }
            }
            if queue.is_closed {
                return None;
            }
            queue.is_idle = true;
            self.progress.notify_waiters();
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Locks, also after a panic elsewhere: what is behind these locks is never left half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
