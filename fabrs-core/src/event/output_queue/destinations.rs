//! [`Destinations`]: stdout and stderr, with the handling of failed writes.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::event::output_queue::block::Block;
use crate::event::output_queue::block_queue::DroppedBytes;
use crate::event::output_queue::lost_output::LostOutput;
use crate::event::stream::Stream;
use crate::mutex::lock;

/// The destinations of stdout and stderr.
pub(super) struct Destinations {
    stdout: OutputWriter,
    stderr: OutputWriter,
    on_stdout_broken: Option<Box<dyn FnOnce() + Send>>,
    status: Arc<WriterStatus>,
}

/// The state of the destinations, readable while the writer uses them.
#[derive(Debug, Default)]
pub(super) struct WriterStatus {
    pub(super) is_stdout_broken: AtomicBool,
    /// True if stdout fails because its reader has closed the pipe.
    pub(super) is_stdout_closed: AtomicBool,
    lost_output: Mutex<LostOutput>,
}

impl WriterStatus {
    /// Accesses the record of lost output.
    pub(super) fn lost_output<T>(&self, access: impl FnOnce(&mut LostOutput) -> T) -> T {
        access(&mut lock(&self.lost_output))
    }
}

/// An output stream, and the error of the first failed write.
struct OutputWriter {
    writer: Box<dyn Write + Send>,
    fault: Option<io::Error>,
}

impl Destinations {
    /// Makes the destinations. `on_stdout_broken` is called once if a write to stdout fails.
    pub(super) fn new(
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
        on_stdout_broken: Box<dyn FnOnce() + Send>,
        status: Arc<WriterStatus>,
    ) -> Self {
        let open = |writer| OutputWriter { writer, fault: None };
        Self { stdout: open(stdout), stderr: open(stderr), on_stdout_broken: Some(on_stdout_broken), status }
    }

    /// Writes a block.
    pub(super) fn write(&mut self, block: &Block) {
        for (stream, segment) in block.segments() {
            self.write_segment(stream, segment);
        }
    }

    /// Writes a segment of a stream.
    pub(super) fn write_segment(&mut self, stream: Stream, segment: &[u8]) {
        let destination = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let lost = destination.write(segment);
        let Some(fault) = &destination.fault else { return };
        let is_reader_gone = fault.kind() == io::ErrorKind::BrokenPipe;
        if lost > 0 && !is_reader_gone {
            self.status.lost_output(|lost_output| lost_output.add_rejected(stream, lost, fault));
        }
        if stream == Stream::Stdout {
            self.status.is_stdout_closed.store(is_reader_gone, Ordering::Release);
            self.status.is_stdout_broken.store(true, Ordering::Release);
            if let Some(notify) = self.on_stdout_broken.take() {
                notify();
            }
        }
    }

    /// Reports dropped bytes on stderr.
    pub(super) fn report(&mut self, dropped: &DroppedBytes) {
        self.status.lost_output(|lost_output| lost_output.add_dropped(dropped));
        let text = format!("[fabrs] {} bytes of output not shown: {}\n", dropped.bytes.all(), dropped.cause);
        self.write_segment(Stream::Stderr, text.as_bytes());
    }
}

impl OutputWriter {
    /// Writes bytes and returns the number of lost bytes.
    fn write(&mut self, bytes: &[u8]) -> u64 {
        let mut rest = bytes;
        while !rest.is_empty() && self.fault.is_none() {
            match self.writer.write(rest) {
                Ok(0) => self.fault = Some(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.fault = Some(error),
            }
        }
        if self.fault.is_none() {
            self.fault = self.writer.flush().err();
        }
        rest.len() as u64
    }
}
