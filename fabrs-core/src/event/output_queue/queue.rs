//! [`OutputQueue`], and its writer thread.

use std::fmt;
use std::io::Write;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;

use crate::error::Error;
use crate::event::output_queue::block::Block;
use crate::event::output_queue::block_queue::{BlockQueue, MakeFile, QueuedBlock};
use crate::event::output_queue::destinations::{Destinations, WriterStatus};
use crate::event::output_queue::stdio;
use crate::event::stream::Stream;
use crate::mutex::lock;

/// The maximum length of a piece kept in a single block. At most an eighth of a block stays empty
/// for this purpose.
const MAX_UNSPLIT_LEN: usize = Block::SIZE / 8;

/// A queue of output for stdout and stderr, written on a separate thread in the order of the calls.
///
/// [`push`](Self::push) never waits for the destination. At most 4 MiB wait in memory. Further
/// output waits in an unnamed temporary file. If no file can be made, up to 32 MiB wait in memory,
/// and further output is dropped. A line on stderr then shows the number of dropped bytes and the
/// reason, in place of the dropped output.
///
/// A stream closed by its reader, as by `head`, is not an error: further output is dropped
/// silently. Any other failed write also drops further output, and
/// [`lost_output_error`](Self::lost_output_error) returns the error.
///
/// Dropping the queue does not wait. The thread writes the remaining output as long as the process
/// lives.
///
/// ```
/// use std::io::Read as _;
///
/// use fabrs_core::event::{OutputQueue, Stream};
///
/// let (mut reader, stdout) = std::io::pipe()?;
/// let queue = OutputQueue::new(stdout, std::io::stderr(), || {});
/// queue.push(Stream::Stdout, b"done\n");
/// queue.finish();
/// drop(queue);
///
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "done\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct OutputQueue {
    pub(super) shared: Arc<QueueShared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The state shared by the callers and the writer.
pub(super) struct QueueShared {
    pub(super) queue: Mutex<QueueState>,
    filled: Condvar,
    /// Notified when the writer has written a block, or is idle.
    progress: Notify,
    /// Locked by the writer as long as its thread runs.
    pub(super) destinations: Mutex<Destinations>,
    status: Arc<WriterStatus>,
}

/// The waiting output: first the full blocks, then the current block.
pub(super) struct QueueState {
    filling: Block,
    pub(super) blocks: BlockQueue,
    /// True while the writer sleeps. A wake-up is a system call, so a busy writer gets no wake-up.
    is_idle: bool,
    /// The number of pauses without a resume. While the number is not zero, the writer is paused.
    pause_count: usize,
    is_closed: bool,
    /// The number of accepted bytes, and the number of bytes written or dropped by the writer.
    accepted: u64,
    written: u64,
}

impl QueueState {
    /// Returns whether the first `bytes` bytes are written, or the writer is paused.
    fn has_written(&self, bytes: u64) -> bool {
        self.written >= bytes || self.is_closed || (self.pause_count > 0 && self.is_idle)
    }
}

impl OutputQueue {
    /// Makes a queue for the stdout and stderr of the process. `on_stdout_broken` is called as in
    /// [`OutputQueue::new`].
    pub fn stdio(on_stdout_broken: impl FnOnce() + Send + 'static) -> Self {
        Self::start(stdio::stdout(), stdio::stderr(), Box::new(on_stdout_broken), tempfile::tempfile)
    }

    /// Like [`stdio`](Self::stdio), but `wrapper` performs each write by calling its argument. A
    /// progress bar on the same terminal can thus be hidden during the write. `wrapper` is called
    /// on the writer's thread.
    pub fn stdio_with_wrapper(
        on_stdout_broken: impl FnOnce() + Send + 'static,
        wrapper: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
    ) -> Self {
        let wrapper: stdio::WriteWrapper = Arc::new(wrapper);
        let [stdout, stderr] =
            [stdio::stdout(), stdio::stderr()].map(|stream| stdio::wrap_writes(stream, Arc::clone(&wrapper)));
        Self::start(stdout, stderr, Box::new(on_stdout_broken), tempfile::tempfile)
    }

    /// Makes a queue for two streams. `on_stdout_broken` is called once if a write to `stdout`
    /// fails.
    ///
    /// The writer's thread calls the function, so the function must only notify other code.
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
        let shared = Arc::new(QueueShared {
            queue: Mutex::new(queue),
            filled: Condvar::new(),
            progress: Notify::new(),
            destinations: Mutex::new(Destinations::new(stdout, stderr, on_stdout_broken, Arc::clone(&status))),
            status,
        });
        let writer_state = Arc::clone(&shared);
        let writer = thread::Builder::new().name("fabrs-output".to_owned()).spawn(move || writer_state.write()).ok();
        // If the process can start no more threads, every caller writes its output itself.
        lock(&shared.queue).is_closed = writer.is_none();
        Self { shared, writer: Mutex::new(writer) }
    }

    /// Queues a piece of output. Pieces are not mixed, and both streams keep the order of the
    /// calls.
    ///
    /// After [`finish`](Self::finish) the caller itself writes the piece, and waits for the write.
    pub fn push(&self, stream: Stream, bytes: &[u8]) {
        if !bytes.is_empty() && !self.shared.accept(stream, bytes) {
            self.finish();
            lock(&self.shared.destinations).write_segment(stream, bytes);
        }
    }

    /// Waits until all earlier pieces are written. If the queue is paused, waits only for a write
    /// in progress.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn flush(&self) {
        let accepted = lock(&self.shared.queue).accepted;
        loop {
            let mut progress = pin!(self.shared.progress.notified());
            // Enabled before the check of the queue. Otherwise a notification after the check would
            // be lost.
            progress.as_mut().enable();
            if lock(&self.shared.queue).has_written(accepted) {
                return;
            }
            progress.await;
        }
    }

    /// Returns the number of bytes written or dropped so far.
    pub fn written_bytes(&self) -> u64 {
        lock(&self.shared.queue).written
    }

    /// Pauses writing. Each call needs a call of [`resume`](Self::resume). Returns at once.
    /// [`flush`](Self::flush) waits for a write in progress.
    pub fn pause(&self) {
        lock(&self.shared.queue).pause_count += 1;
    }

    /// Writes the output queued during the pause.
    pub fn resume(&self) {
        let mut queue = lock(&self.shared.queue);
        queue.pause_count = queue.pause_count.saturating_sub(1);
        queue.is_idle = false;
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Waits until all output is written, and ends the thread. Later calls have no effect.
    pub fn finish(&self) {
        self.shared.close();
        // Locked during the wait, so that a second caller also waits.
        if let Some(writer) = lock(&self.writer).take() {
            // The panic of a thread is already reported.
            drop(writer.join());
        }
    }

    /// Returns whether writes to stdout fail.
    pub fn is_broken(&self) -> bool {
        self.shared.status.is_stdout_broken.load(Ordering::Acquire)
    }

    /// Returns whether writes to stdout fail because its reader has closed the pipe, as `head`
    /// does.
    pub fn is_reader_gone(&self) -> bool {
        self.shared.status.is_stdout_closed.load(Ordering::Acquire)
    }

    /// Returns the number of bytes lost so far, except after a reader has closed a stream.
    pub fn lost_bytes(&self) -> u64 {
        self.shared.status.lost_output(|lost_output| lost_output.bytes())
    }

    /// Returns the error of the output lost so far: streams, number of bytes and causes. Output
    /// after a reader has closed a stream does not count.
    ///
    /// The error is complete after [`finish`](Self::finish).
    ///
    /// ```
    /// use fabrs_core::event::{OutputQueue, Stream};
    ///
    /// let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    /// let queue = OutputQueue::new(full, std::io::stderr(), || {});
    /// queue.push(Stream::Stdout, b"done\n");
    /// queue.finish();
    /// let error = queue.lost_output_error().expect("the disk is full");
    /// assert_eq!(error.to_string(), "output was lost: 5 bytes of stdout");
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

impl QueueShared {
    /// Queues a piece. Returns `false` if the queue is closed.
    fn accept(&self, stream: Stream, bytes: &[u8]) -> bool {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return false;
        }
        queue.accepted += bytes.len() as u64;
        let QueueState { filling, blocks, .. } = &mut *queue;
        // A short piece stays in one block, so that a dropped block does not tear a line apart.
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

    /// Writes until the queue is closed and empty. This is the body of the thread.
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

    /// Counts the `bytes` of the written block, and keeps its memory for reuse. Then waits for the
    /// next block. Returns `None` at the end.
    fn next(&self, written: Block, bytes: u64) -> Option<QueuedBlock> {
        let mut queue = lock(&self.queue);
        queue.blocks.recycle(written);
        queue.written += bytes;
        self.progress.notify_waiters();
        loop {
            // At the end all output is written, even during a pause.
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
