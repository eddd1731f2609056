//! What the spool promises as a whole.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::prelude::*;

use crate::event::output_queue::block::Block;
use crate::event::output_queue::block_queue::{MAX_BLOCKS_IN_MEMORY, MakeFile};
use crate::event::output_queue::queue::{OutputQueue, lock};
use crate::event::stream::Stream;

/// What written at both streams, in the order of the writes.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Pieces>>);

type Pieces = Vec<(Stream, Vec<u8>)>;

impl Written {
    /// Returns a writer that notes what it gets as bytes of `stream`.
    fn writer(&self, stream: Stream) -> impl Write + Send + 'static {
        RecordingWriter { stream, written: self.clone() }
    }

    /// Returns everything in order, with neighbours of a stream joined.
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

/// Lets nothing pass until the gate is opened, by dropping its sender.
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

/// A spool whose stdout is stuck in its first write until the returned sender is dropped.
fn stuck(written: &Written, make_file: MakeFile) -> (OutputQueue, Sender<()>) {
    let (entered, has_entered) = channel();
    let (open, gate) = channel();
    let stdout = GatedWriter { entered, gate, behind: written.writer(Stream::Stdout) };
    let stderr = written.writer(Stream::Stderr);
    let spool = OutputQueue::start(Box::new(stdout), Box::new(stderr), Box::new(|| {}), make_file);
    spool.push(Stream::Stdout, b"first ");
    has_entered.recv().unwrap();
    (spool, open)
}

/// Fails every write in the same way.
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
fn a_stuck_terminal_delays_no_caller_and_fills_no_memory() {
    let written = Written::default();
    let (spool, open) = stuck(&written, tempfile::tempfile);
    let mut sent = b"first ".to_vec();
    for number in 0..400_000 {
        let line = format!("line {number} of a host that prints more than fits into memory\n");
        spool.push(Stream::Stdout, line.as_bytes());
        sent.extend(line.as_bytes());
        assert!(lock(&spool.shared.queue).blocks.in_memory() <= MAX_BLOCKS_IN_MEMORY);
    }
    assert!(lock(&spool.shared.queue).blocks.slots() > 60);
    assert_eq!(written.of(Stream::Stdout), b"");
    drop(open);
    spool.finish();
    assert!(written.of(Stream::Stdout) == sent);
    assert_eq!(lock(&spool.shared.queue).blocks.slots(), 0);
}

#[test]
fn what_can_be_kept_nowhere_is_counted_on_stderr() {
    let written = Written::default();
    let (spool, open) = stuck(&written, || Err(io::Error::other("no temporary directory")));
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..40 {
        spool.push(Stream::Stdout, &piece);
    }
    drop(open);
    spool.finish();
    let shown = written.of(Stream::Stdout).len() - b"first ".len();
    let lost = (40 << 20) - shown;
    assert!(lost > 0 && shown > 31 << 20, "{lost} {shown}");
    assert_eq!(spool.lost_bytes(), lost as u64);
    let told = format!("[fabrs] {lost} bytes of output not shown: no temporary directory\n");
    assert_eq!(String::from_utf8(written.of(Stream::Stderr)).unwrap(), told);
    let block = spool.lost_output_error().unwrap().block().to_string();
    assert!(block.starts_with(&format!("error: output was lost: {lost} bytes of stdout\n")), "{block}");
    assert!(block.contains("could not write output to a temporary file in `"), "{block}");
    assert!(
        block.ends_with(": no temporary directory\nhint: set TMPDIR to an existing directory with enough free space"),
        "{block}"
    );
}

#[test]
fn a_reader_that_went_away_is_no_error_and_is_told_once() {
    let written = Written::default();
    let (tell, told) = channel();
    let stdout = FailingWriter(io::ErrorKind::BrokenPipe);
    let spool = OutputQueue::new(stdout, written.writer(Stream::Stderr), move || tell.send(()).unwrap());
    assert!(!spool.is_broken());
    for _ in 0..3 {
        spool.push(Stream::Stdout, b"out\n");
        spool.push(Stream::Stderr, b"err\n");
    }
    told.recv().unwrap();
    assert!(spool.is_broken());
    spool.finish();
    assert!(told.recv().is_err());
    assert_eq!(written.all(), [(Stream::Stderr, b"err\nerr\nerr\n".to_vec())]);
    assert!(spool.lost_bytes() == 0 && spool.lost_output_error().is_none());
}

#[test]
fn a_stream_that_fails_otherwise_is_an_error_that_names_it_with_bytes_and_cause() {
    let written = Written::default();
    let spool = OutputQueue::new(FailingWriter(io::ErrorKind::StorageFull), written.writer(Stream::Stderr), || {});
    spool.push(Stream::Stdout, b"four");
    spool.push(Stream::Stdout, b"five!");
    spool.finish();
    assert!(spool.is_broken());
    assert_eq!(spool.lost_bytes(), 9);
    assert_eq!(written.of(Stream::Stderr), b"");
    let block = |spool: &OutputQueue| spool.lost_output_error().unwrap().without_location().block().to_string();
    let full = "caused by: could not write to stdout: no storage space";
    assert_eq!(block(&spool), format!("error: output was lost: 9 bytes of stdout\n  {full}"));
    spool.push(Stream::Stdout, b"late");
    assert_eq!(spool.lost_bytes(), 13);

    let spool =
        OutputQueue::new(FailingWriter(io::ErrorKind::StorageFull), FailingWriter(io::ErrorKind::QuotaExceeded), || {});
    spool.push(Stream::Stdout, b"four");
    spool.push(Stream::Stderr, b"three");
    spool.finish();
    let both = "error: output was lost: 4 bytes of stdout and 5 bytes of stderr";
    let quota = "could not write to stderr: quota exceeded";
    assert_eq!(block(&spool), format!("{both}\n  {full}\n             {quota}"));
}

#[test]
fn both_streams_come_out_in_the_order_of_the_calls() {
    let written = Written::default();
    let (spool, open) = stuck(&written, tempfile::tempfile);
    spool.push(Stream::Stderr, b"one\n");
    spool.push(Stream::Stdout, b"two\n");
    spool.push(Stream::Stderr, b"three\n");
    drop(open);
    spool.finish();
    let texts: Vec<_> = written.all().into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    assert_eq!(texts, ["first ", "one\n", "two\n", "three\n"]);
}

#[test]
fn what_comes_after_the_end_is_written_at_once() {
    let written = Written::default();
    let spool = OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {});
    spool.push(Stream::Stdout, b"before ");
    spool.finish();
    spool.push(Stream::Stdout, b"after");
    assert_eq!(written.of(Stream::Stdout), b"before after");
    spool.finish();
}

#[test]
fn dropping_a_spool_that_is_stuck_waits_for_nothing_and_loses_nothing() {
    let written = Written::default();
    let (spool, open) = stuck(&written, tempfile::tempfile);
    spool.push(Stream::Stdout, b"second");
    let shared = Arc::clone(&spool.shared);
    drop(spool);
    drop(open);
    // The thread holds the destinations until it has written everything.
    drop(lock(&shared.destinations));
    assert_eq!(written.of(Stream::Stdout), b"first second");
}

#[test]
fn pieces_of_several_callers_are_never_mixed() {
    let written = Written::default();
    let spool = OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {});
    thread::scope(|scope| {
        for caller in ["web1", "web2", "web3"] {
            let spool = &spool;
            scope.spawn(move || {
                for number in 0..2_000 {
                    spool.push(Stream::Stdout, format!("[{caller}] {number}\n").as_bytes());
                }
            });
        }
    });
    spool.finish();
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
    fn nothing_is_lost_and_no_order_is_changed(pieces in prop::collection::vec(a_piece(), 0..60), gated: bool) {
        let written = Written::default();
        let mut sent = Vec::new();
        let (spool, open) = if gated {
            sent.push((Stream::Stdout, b"first ".to_vec()));
            let (spool, open) = stuck(&written, tempfile::tempfile);
            (spool, Some(open))
        } else {
            (OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {}), None)
        };
        for (stream, bytes) in pieces {
            spool.push(stream, &bytes);
            sent.push((stream, bytes));
        }
        drop(open);
        spool.finish();
        prop_assert!(written.all() == join(sent));
    }
}

#[tokio::test]
async fn what_comes_while_it_is_held_is_written_afterwards_and_in_order() {
    let written = Written::default();
    let spool = OutputQueue::new(written.writer(Stream::Stdout), written.writer(Stream::Stderr), || {});
    spool.push(Stream::Stdout, b"before ");
    spool.flush().await;
    spool.pause();
    spool.pause();
    spool.push(Stream::Stdout, b"meanwhile ");
    spool.resume();
    spool.flush().await;
    assert_eq!(written.of(Stream::Stdout), b"before ", "it is held twice");
    spool.resume();
    spool.push(Stream::Stdout, b"after");
    spool.flush().await;
    assert_eq!(written.of(Stream::Stdout), b"before meanwhile after");
    spool.pause();
    spool.push(Stream::Stdout, b", and at the end all");
    spool.finish();
    assert_eq!(written.of(Stream::Stdout), b"before meanwhile after, and at the end all");
}
