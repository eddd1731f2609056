//! [`StdioCapture`]: captures text printed directly to stdout and stderr by tasks, as with
//! `println!`, and by programs with inherited streams.
//!
//! `println!` panics on a write error, so a closed pager or a full disk would end a deploy halfway.
//! Therefore descriptors 1 and 2 of the process become pipes. A thread always empties these pipes
//! into the output queue. A terminal is not replaced, because programs query the colours and width.
//! `/dev/null` replaces a closed terminal.
//!
//! Secrets of the run are redacted in the pipes. Text printed to a terminal is not redacted,
//! because it does not pass through `fab`.

use std::fmt;
use std::io::{self, IsTerminal as _, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fabrs_core::event::{Event, Granularity, OutputQueue, Sink, Stream};
use fabrs_core::secret::{RedactedStream, Redactor};
use futures::future::BoxFuture;
use rustix::event::{PollFd, PollFlags, poll};

use super::mutex::lock;

/// The capacity of a pipe in bytes. One read of this size returns everything written before.
const PIPE_SIZE: usize = 64 << 10;

/// Maximum number of reads after the end of a run. A program may outlive the run and write
/// forever.
const MAX_FINAL_READS: usize = 16;

/// Maximum time of the last flush of std's stdout.
const FINAL_FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// An event sink: forwards printed text before each event, to keep the order of text and events.
pub(super) struct StdioCapture {
    inner: Arc<dyn Sink>,
    pipes: Arc<CapturePipes>,
    thread: Mutex<Option<CaptureThread>>,
}

/// The pipes, and the queue for their content.
struct CapturePipes {
    output: Arc<OutputQueue>,
    redactor: Redactor,
    pipes: Vec<CapturePipe>,
}

/// A pipe that replaces a stream, or both streams if they are the same file.
struct CapturePipe {
    stream: Stream,
    reader: PipeReader,
    pending: Mutex<UnforwardedBytes>,
}

/// Bytes read from a pipe and not yet forwarded.
struct UnforwardedBytes {
    buffer: Vec<u8>,
    /// Length of an unfinished line at the start of the buffer.
    partial_len: usize,
    redacted: RedactedStream,
}

/// The thread to empty the pipes, and the original streams.
struct CaptureThread {
    stop: PipeWriter,
    thread: JoinHandle<()>,
    originals: Vec<(Stream, OwnedFd)>,
}

impl StdioCapture {
    /// Starts the capture, until [`finish`](Sink::finish) is called or this value is dropped.
    ///
    /// Captured text is redacted with `redactor` and pushed to `output`. Text for stdout is pushed
    /// to the stream `stdout`.
    pub(super) fn start(
        inner: Arc<dyn Sink>,
        output: &Arc<OutputQueue>,
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
        // From here on, a failure drops this value, which restores both streams.
        let captured = Self { inner, pipes, thread };
        for (stream, writer) in &replaced {
            replace(*stream, writer)?;
        }
        Ok(captured)
    }

    /// Forwards all text printed so far.
    pub(super) fn forward(&self) {
        self.pipes.forward();
    }

    /// Restores both streams and forwards the remaining text.
    fn stop(&self) {
        let Some(thread) = lock(&self.thread).take() else { return };
        flush_std();
        for (stream, original) in &thread.originals {
            // Can't fail: the original descriptor is still open.
            let _ = replace(*stream, original);
        }
        drop(thread.stop);
        // The panic hook has already reported a panic of the thread.
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

    /// Forwards text as soon as it is printed. The thread runs this function.
    fn forward_until(&self, stopped: &PipeReader, mut terminals: Vec<(Stream, OwnedFd)>) {
        loop {
            let mut waited = vec![PollFd::new(stopped, PollFlags::IN)];
            waited.extend(self.pipes.iter().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN)));
            // Without requested events, `poll` still reports a closed terminal.
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
    /// Forwards the content of the pipe. Returns `true` if the pipe may have more.
    fn forward(&self, to: &CapturePipes) -> bool {
        let mut pending = lock(&self.pending);
        let UnforwardedBytes { buffer, partial_len, redacted } = &mut *pending;
        let room = buffer.get_mut(*partial_len..*partial_len + PIPE_SIZE).unwrap_or_default();
        let Ok(count @ 1..) = (&self.reader).read(room) else { return false };
        let all = *partial_len + count;
        // A full pipe ends in the middle of a line. Keep this part, so that no line of a host is
        // printed in between.
        let end = match buffer.get(..all).and_then(|text| text.iter().rposition(|byte| *byte == b'\n')) {
            Some(last) if count == PIPE_SIZE && all - (last + 1) <= PIPE_SIZE => last + 1,
            _ => all,
        };
        to.output.push(self.stream, &redacted.push(&to.redactor, buffer.get(..end).unwrap_or_default()));
        buffer.copy_within(end..all, 0);
        *partial_len = all - end;
        true
    }

    /// Forwards an unfinished line, and bytes that could have been the start of a secret.
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
        // Each check of the pipes is a system call, and every command has two of these events.
        if !matches!(event, Event::CommandStarted { is_echoed: false, .. } | Event::CommandEnded { .. }) {
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

    fn pause(&self) {
        self.forward();
        self.inner.pause();
    }

    fn resume(&self) {
        self.inner.resume();
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

/// Makes std write an unfinished line from the buffer.
fn flush_std() {
    let (done, is_done) = mpsc::channel();
    // An abandoned task may hold the lock of stdout forever.
    let flush = move || done.send(io::stdout().flush().is_ok());
    if thread::Builder::new().spawn(flush).is_ok() {
        let _ = is_done.recv_timeout(FINAL_FLUSH_TIMEOUT);
    }
}

/// Returns `true` if two descriptors refer to the same file, as with `2>&1`.
fn is_one_file(one: &OwnedFd, other: &OwnedFd) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Replaces a stream of this process.
fn replace(stream: Stream, with: &impl AsFd) -> io::Result<()> {
    match stream {
        Stream::Stdout => rustix::stdio::dup2_stdout(with)?,
        Stream::Stderr => rustix::stdio::dup2_stderr(with)?,
    }
    Ok(())
}

/// Replaces a stream of this process by `/dev/null`.
fn discard(stream: Stream) {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        // If this fails, the closed terminal remains.
        let _ = replace(stream, &null);
    }
}
