//! [`StdioCapture`]: output of tasks that no event carries, as of `println!` and of programs that inherit stdout.
//!
//! `println!` panics if it can't write, and a deploy would end half way because a pager was closed or a disk is full. So
//! descriptors 1 and 2 of the process become pipes that a thread always empties into the output. A terminal stays in its
//! place, since programs ask for its colours and its width; only when it is closed, `/dev/null` takes its place.
//!
//! Secrets of the run are redacted in the pipes. On a terminal they are not: nothing is between a task and the terminal.

use std::fmt;
use std::io::{self, IsTerminal as _, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fabrs_core::event::{Event, Granularity, Sink, Spool, Stream};
use fabrs_core::secret::{RedactedStream, Redactor};
use futures::future::BoxFuture;
use rustix::event::{PollFd, PollFlags, poll};

/// The capacity of a pipe: one read of so many bytes takes all that was written before it.
const PIPE_SIZE: usize = 64 << 10;

/// How many reads follow the end of a run at most: a program that outlives it may write for ever.
const MAX_FINAL_READS: usize = 16;

/// How long the last flush of std may take.
const FINAL_FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// A sink that first forwards what was printed before an event, so that both keep their order.
pub(super) struct StdioCapture {
    inner: Arc<dyn Sink>,
    pipes: Arc<CapturePipes>,
    thread: Mutex<Option<CaptureThread>>,
}

/// The pipes, and the output that they are emptied into.
struct CapturePipes {
    output: Arc<Spool>,
    redactor: Redactor,
    pipes: Vec<CapturePipe>,
}

/// One pipe in the place of a stream, or of both where they are one file.
struct CapturePipe {
    stream: Stream,
    reader: PipeReader,
    pending: Mutex<UnforwardedBytes>,
}

/// Bytes of a pipe on their way to the output.
struct UnforwardedBytes {
    buffer: Vec<u8>,
    /// The length of an unfinished line at the start of the buffer.
    partial_len: usize,
    redacted: RedactedStream,
}

/// The thread, and what ends it.
struct CaptureThread {
    stop: PipeWriter,
    thread: JoinHandle<()>,
    originals: Vec<(Stream, OwnedFd)>,
}

impl StdioCapture {
    /// Begins to capture; until [`finish`](Sink::finish), all that is printed goes to `output`: text for stdout to `stdout`
    /// of it, without the secrets of `redactor`.
    pub(super) fn start(
        inner: Arc<dyn Sink>,
        output: &Arc<Spool>,
        stdout: Stream,
        redactor: Redactor,
    ) -> io::Result<Self> {
        let streams = [(Stream::Stdout, duplicate(&io::stdout())?), (Stream::Stderr, duplicate(&io::stderr())?)];
        let is_one_file = is_one_file(&streams[0].1, &streams[1].1)?;
        let (terminals, files): (Vec<_>, Vec<_>) = streams.into_iter().partition(|(_, fd)| fd.is_terminal());
        let mut pipes = Vec::new();
        let mut replaced: Vec<(Stream, PipeWriter)> = Vec::new();
        for (stream, _) in &files {
            if let (true, Some((_, writer))) = (is_one_file, replaced.first()) {
                replaced.push((*stream, writer.try_clone()?));
                continue;
            }
            let (reader, writer) = io::pipe()?;
            rustix::io::ioctl_fionbio(&reader, true)?;
            let pending = UnforwardedBytes {
                buffer: vec![0; 2 * PIPE_SIZE],
                partial_len: 0,
                redacted: RedactedStream::default(),
            };
            let pending = Mutex::new(pending);
            let shown_on = if *stream == Stream::Stdout { stdout } else { *stream };
            pipes.push(CapturePipe { stream: shown_on, reader, pending });
            replaced.push((*stream, writer));
        }
        let pipes = Arc::new(CapturePipes { output: Arc::clone(output), redactor, pipes });
        let (stopped, stop) = io::pipe()?;
        let of_thread = Arc::clone(&pipes);
        let thread = thread::Builder::new().name("fabrs-prints".to_owned());
        let thread = thread.spawn(move || of_thread.forward_until(&stopped, terminals))?;
        let thread = Mutex::new(Some(CaptureThread { stop, thread, originals: files }));
        // From here on a failure drops this, which restores both streams.
        let captured = Self { inner, pipes, thread };
        for (stream, writer) in &replaced {
            replace(*stream, writer)?;
        }
        Ok(captured)
    }

    /// Forwards all that was printed so far.
    pub(super) fn forward(&self) {
        self.pipes.forward();
    }

    /// Gives both streams back, and forwards the rest.
    fn stop(&self) {
        let Some(thread) = lock(&self.thread).take() else { return };
        flush_std();
        for (stream, original) in &thread.originals {
            // It was there before, so nothing is in its way.
            let _ = replace(*stream, original);
        }
        drop(thread.stop);
        // A thread that panicked has already said so.
        drop(thread.thread.join());
        for pipe in &self.pipes.pipes {
            let _reads = (0..MAX_FINAL_READS).take_while(|_| pipe.forward(&self.pipes)).count();
            pipe.forward_unfinished(&self.pipes);
        }
    }
}

impl CapturePipes {
    fn forward(&self) {
        for pipe in &self.pipes {
            pipe.forward(self);
        }
    }

    /// Forwards whenever something is printed: the life of the thread.
    fn forward_until(&self, stopped: &PipeReader, mut terminals: Vec<(Stream, OwnedFd)>) {
        loop {
            let mut waited = vec![PollFd::new(stopped, PollFlags::IN)];
            waited.extend(self.pipes.iter().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN)));
            // Of a terminal only its end is wanted, which is always reported.
            waited.extend(terminals.iter().map(|(_, terminal)| PollFd::new(terminal, PollFlags::empty())));
            match poll(&mut waited, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            if !waited.first().is_some_and(|stopped| stopped.revents().is_empty()) {
                return;
            }
            let ended: Vec<bool> =
                waited.iter().skip(1 + self.pipes.len()).map(|terminal| !terminal.revents().is_empty()).collect();
            drop(waited);
            self.forward();
            let mut ended = ended.into_iter();
            terminals.retain(|(stream, _)| {
                let is_over = ended.next() == Some(true);
                if is_over {
                    discard(*stream);
                }
                !is_over
            });
        }
    }
}

impl CapturePipe {
    /// Forwards what is in the pipe, and tells whether there may be more.
    fn forward(&self, to: &CapturePipes) -> bool {
        let mut pending = lock(&self.pending);
        let UnforwardedBytes { buffer, partial_len, redacted } = &mut *pending;
        let room = buffer.get_mut(*partial_len..*partial_len + PIPE_SIZE).unwrap_or_default();
        let Ok(count @ 1..) = (&self.reader).read(room) else { return false };
        let all = *partial_len + count;
        // A pipe that was full ends somewhere in a line, which no line of a host may tear apart.
        let end = match buffer.get(..all).and_then(|text| text.iter().rposition(|byte| *byte == b'\n')) {
            Some(last) if count == PIPE_SIZE && all - (last + 1) <= PIPE_SIZE => last + 1,
            _ => all,
        };
        to.output.push(self.stream, &redacted.push(&to.redactor, buffer.get(..end).unwrap_or_default()));
        buffer.copy_within(end..all, 0);
        *partial_len = all - end;
        true
    }

    /// Forwards a line that has no end, and the bytes that could have been the beginning of a secret.
    fn forward_unfinished(&self, to: &CapturePipes) {
        let mut pending = lock(&self.pending);
        let UnforwardedBytes { buffer, partial_len, redacted } = &mut *pending;
        let rest = buffer.get(..std::mem::take(partial_len)).unwrap_or_default();
        to.output.push(self.stream, &redacted.push(&to.redactor, rest));
        to.output.push(self.stream, &redacted.finish(&to.redactor));
    }
}

impl Sink for StdioCapture {
    fn event(&self, event: &Event<'_>) {
        // Each look into the pipes is a system call, and a task has two of these events for every command.
        if !matches!(event, Event::CommandStarted { echo: false, .. } | Event::CommandEnded { .. }) {
            self.forward();
        }
        self.inner.event(event);
    }

    fn granularity(&self) -> Granularity {
        self.inner.granularity()
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.forward();
        self.inner.flush()
    }

    fn hold(&self) {
        self.forward();
        self.inner.hold();
    }

    fn release(&self) {
        self.inner.release();
    }

    fn finish(&self) {
        self.stop();
        self.inner.finish();
    }
}

impl Drop for StdioCapture {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for StdioCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioCapture").field("inner", &self.inner).finish_non_exhaustive()
    }
}

fn duplicate(stream: &impl AsFd) -> io::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

/// Has std write a line without its end, which is still in its buffer.
fn flush_std() {
    let (done, is_done) = mpsc::channel();
    // A task that was left behind may hold the lock of stdout for ever.
    let flush = move || done.send(io::stdout().flush().is_ok());
    if thread::Builder::new().spawn(flush).is_ok() {
        let _ = is_done.recv_timeout(FINAL_FLUSH_TIMEOUT);
    }
}

/// Tells whether two descriptors are of one file, as with `2>&1`.
fn is_one_file(one: &OwnedFd, other: &OwnedFd) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Puts a descriptor in the place of a stream of this process.
fn replace(stream: Stream, with: &impl AsFd) -> io::Result<()> {
    match stream {
        Stream::Stdout => rustix::stdio::dup2_stdout(with)?,
        Stream::Stderr => rustix::stdio::dup2_stderr(with)?,
    }
    Ok(())
}

/// Puts `/dev/null` in the place of a stream.
fn discard(stream: Stream) {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        // Where it can't be replaced, the terminal stays as it is.
        let _ = replace(stream, &null);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
