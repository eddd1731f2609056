//! Tests of the guarantees of the output queue.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::prelude::*;

use crate::event::output_queue::block::Block;
use crate::event::output_queue::block_queue::{MAX_BLOCKS_IN_MEMORY, MakeFile};
use crate::event::output_queue::queue::OutputQueue;
use crate::event::stream::Stream;
use crate::mutex::lock;

/// The output written to both streams, in the order of the writes.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Pieces>>);

type Pieces = Vec<(Stream, Vec<u8>)>;

impl Written {
    /// Returns a writer that records its bytes for `stream`.
    fn writer(&self, stream: Stream) -> impl Write + Send + 'static {
        RecordingWriter { stream, written: self.clone() }
    }

    /// Returns all output in order, with adjacent pieces of a stream joined.
    fn all(&self) -> Pieces {
        join(lock(&self.0).iter().cloned())
    }

    fn of(&self, stream: Stream) -> Vec<u8> {
        lock(&self.0).iter().filter(|(of, _)| *of == stream).flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

fn join(pieces: impl IntoIterator<Item = (Stream, Vec<u8>)>) -> Pieces {
    let mut joined: Pieces = Vec::new();
    for (stream, bytes) in pieces {
        match joined.last_mut() {
            Some((last, all)) if *last == stream => all.extend(bytes),
            _ if bytes.is_empty() => {}
            _ => joined.push((stream, bytes)),
        }
    }
    joined
}

struct RecordingWriter {
    stream: Stream,
    written: Written,
}

impl Write for RecordingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.written.0).push((self.stream, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Blocks all writes until the sender of the gate is dropped.
struct GatedWriter<W> {
    entered: Sender<()>,
    gate: Receiver<()>,
    behind: W,
}

impl<W: Write> Write for GatedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.entered.send(());
        let _ = self.gate.recv();
        self.behind.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a queue whose first write to stdout blocks until the sender is dropped.
fn stuck(written: &Written, make_file: MakeFile) -> (OutputQueue, Sender<()>) {
    let (entered, has_entered) = channel();
    let (open, gate) = channel();
    let stdout = GatedWriter { entered, gate, behind: written.writer(Stream::Stdout) };
    let stderr = written.writer(Stream::Stderr);
    let queue = OutputQueue::start(Box::new(stdout), Box::new(stderr), Box::new(|| {}), make_file);
    queue.push(Stream::Stdout, b"first ");
    has_entered.recv().unwrap();
    (queue, open)
}

/// A writer that fails with this error.
struct FailingWriter(io::ErrorKind);

impl Write for FailingWriter {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_blocked_terminal_delays_no_caller_and_bounds_memory() {
    let written = Written::default();
    let (queue, open) = stuck(&written, tempfile::tempfile);
    let mut sent = b"first ".to_vec();
    for number in 0..400_000 {
        let line = format!("line {number} of a host that prints more than fits into memory\n");
        queue.push(Stream::Stdout, line.as_bytes());
        sent.extend(line.as_bytes());
        assert!(lock(&queue.shared.queue).blocks.in_memory() <= MAX_BLOCKS_IN_MEMORY);
    }
    assert!(lock(&queue.shared.queue).blocks.slots() > 60);
    assert_eq!(written.of(Stream::Stdout), b"");
    drop(open);
    queue.finish();
    assert!(written.of(Stream::Stdout) == sent);
    assert_eq!(lock(&queue.shared.queue).blocks.slots(), 0);
}

#[test]
fn dropped_output_is_counted_on_stderr() {
    let written = Written::default();
    let (queue, open) = stuck(&written, || Err(io::Error::other("no temporary directory")));
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..40 {
        queue.push(Stream::Stdout, &piece);
    }
    drop(open);
    queue.finish();
    let shown = written.of(Stream::Stdout).len() - b"first ".len();
    let lost = (40 << 20) - shown;
    assert!(lost > 0 && shown > 31 << 20, "{lost} {shown}");
    assert_eq!(queue.lost_bytes(), lost as u64);
    let expected = format!("[fabrs] {lost} bytes of output not shown: no temporary directory\n");
    assert_eq!(String::from_utf8(written.of(Stream::Stderr)).unwrap(), expected);
    let block = queue.lost_output_error().unwrap().block().to_string();
    assert!(block.starts_with(&format!("error: output was lost: {lost} bytes of stdout\n")), "{block}");
    assert!(block.contains("could not write output to a temporary file in `"), "{block}");
    assert!(
        block.ends_with(": no temporary directory\nhint: set TMPDIR to an existing directory with enough free space"),
        "{block}"
    );
}

#[test]
fn a_closed_reader_is_not_an_error_and_is_reported_once() {
    let written = Written::default();
    let (sender, receiver) = channel();
    let stdout = FailingWriter(io::ErrorKind::BrokenPipe);
    let queue = OutputQueue::new(stdout, written.writer(Stream::Stderr), move || sender.send(()).unwrap());
    assert!(!queue.is_broken());
    for _ in 0..3 {
        queue.push(Stream::Stdout, b"out\n");
        queue.push(Stream::Stderr, b"err\n");
    }
    receiver.recv().unwrap();
    assert!(queue.is_broken());
    queue.finish();
    assert!(receiver.recv().is_err());
    assert_eq!(written.all(), [(Stream::Stderr, b"err\nerr\nerr\n".to_vec())]);
    assert!(queue.lost_bytes() == 0 && queue.lost_output_error().is_none());
}

#[test]
fn a_failed_write_is_an_error_with_bytes_and_cause() {
    let written = Written::default();
    let queue = OutputQueue::new(FailingWriter(io::ErrorKind::StorageFull), written.writer(Stream::Stderr), || {});
    queue.push(Stream::Stdout, b"four");
    queue.push(Stream::Stdout, b"five!");
    queue.finish();
    assert!(queue.is_broken());
    assert_eq!(queue.lost_bytes(), 9);
    assert_eq!(written.of(Stream::Stderr), b"");
    let block = |queue: &OutputQueue| queue.lost_output_error().unwrap().without_location().block().to_string();
    let full = "caused by: could not write to stdout: no storage space";
    assert_eq!(block(&queue), format!("error: output was lost: 9 bytes of stdout\n  {full}"));
    queue.push(Stream::Stdout, b"late");
    assert_eq!(queue.lost_bytes(), 13);

    let queue =
        OutputQueue::new(FailingWriter(io::ErrorKind::StorageFull), FailingWriter(io::ErrorKind::QuotaExceeded), || {});
    queue.push(Stream::Stdout, b"four");
    queue.push(Stream::Stderr, b"three");
    queue.finish();
    let both = "error: output was lost: 4 bytes of stdout and 5 bytes of stderr";
    let quota = "could not write to stderr: quota exceeded";
    assert_eq!(block(&queue), format!("{both}\n  {full}\n             {quota}"));
}

#[test]
fn both_streams_keep_the_order_of_the_calls() {
    let written = Written::default();
    let (queue, open) = stuck(&written, tempfile::tempfile);
    queue.push(Stream::Stderr, b"one\n");
    queue.push(Stream::Stdout, b"two\n");
    queue.push(Stream::Stderr, b"three\n");
    drop(open);
    queue.finish();
    let texts: Vec<_> = written.all().into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    assert_eq!(texts, ["first ", "one\n", "two\n", "three\n"]);
}

#[test]
fn output_after_finish_is_written_at_once() {
    let written = Written::default();
    let queue = OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {});
    queue.push(Stream::Stdout, b"before ");
    queue.finish();
    queue.push(Stream::Stdout, b"after");
    assert_eq!(written.of(Stream::Stdout), b"before after");
    queue.finish();
}

#[test]
fn dropping_a_blocked_queue_does_not_block_and_loses_no_output() {
    let written = Written::default();
    let (queue, open) = stuck(&written, tempfile::tempfile);
    queue.push(Stream::Stdout, b"second");
    let shared = Arc::clone(&queue.shared);
    drop(queue);
    drop(open);
    // The thread locks the destinations until all output is written.
    drop(lock(&shared.destinations));
    assert_eq!(written.of(Stream::Stdout), b"first second");
}

#[test]
fn pieces_of_several_callers_are_not_mixed() {
    let written = Written::default();
    let queue = OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {});
    thread::scope(|scope| {
        for caller in ["web1", "web2", "web3"] {
            let queue = &queue;
            scope.spawn(move || {
                for number in 0..2_000 {
                    queue.push(Stream::Stdout, format!("[{caller}] {number}\n").as_bytes());
                }
            });
        }
    });
    queue.finish();
    let text = String::from_utf8(written.of(Stream::Stdout)).unwrap();
    for caller in ["web1", "web2", "web3"] {
        let prefix = format!("[{caller}] ");
        let numbers: Vec<usize> =
            text.lines().filter_map(|line| line.strip_prefix(&prefix)).map(|n| n.parse().unwrap()).collect();
        assert!(numbers.into_iter().eq(0..2_000));
    }
}

fn a_piece() -> impl Strategy<Value = (Stream, Vec<u8>)> {
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    let length = prop_oneof![8 => 0..200_usize, 2 => 0..3 * Block::SIZE];
    (stream, length, any::<u8>()).prop_map(|(stream, length, byte)| (stream, vec![byte; length]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn all_pieces_arrive_in_order(pieces in prop::collection::vec(a_piece(), 0..60), gated: bool) {
        let written = Written::default();
        let mut sent = Vec::new();
        let (queue, open) = if gated {
            sent.push((Stream::Stdout, b"first ".to_vec()));
            let (queue, open) = stuck(&written, tempfile::tempfile);
            (queue, Some(open))
        } else {
            (OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {}), None)
        };
        for (stream, bytes) in pieces {
            queue.push(stream, &bytes);
            sent.push((stream, bytes));
        }
        drop(open);
        queue.finish();
        prop_assert!(written.all() == join(sent));
    }
}

#[tokio::test]
async fn output_during_a_pause_is_written_after_resume_in_order() {
    let written = Written::default();
    let queue = OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {});
    queue.push(Stream::Stdout, b"before ");
    queue.flush().await;
    queue.pause();
    queue.pause();
    queue.push(Stream::Stdout, b"meanwhile ");
    queue.resume();
    queue.flush().await;
    assert_eq!(written.of(Stream::Stdout), b"before ", "two pauses need two resumes");
    queue.resume();
    queue.push(Stream::Stdout, b"after");
    queue.flush().await;
    assert_eq!(written.of(Stream::Stdout), b"before meanwhile after");
    queue.pause();
    queue.push(Stream::Stdout, b", and at the end all");
    queue.finish();
    assert_eq!(written.of(Stream::Stdout), b"before meanwhile after, and at the end all");
}
