//! [`Destinations`]: the two streams that are written to, and what happens when one of them can't be.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::output_queue::block::Block;
use crate::event::output_queue::block_queue::Gap;
use crate::event::output_queue::lost_output::Losses;
use crate::event::stream::Stream;

/// Where stdout and stderr go.
pub(super) struct Destinations {
    stdout: Destination,
    stderr: Destination,
    on_broken: Option<Box<dyn FnOnce() + Send>>,
    health: Arc<Health>,
}

/// What others may ask about the destinations while they are in use.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) broken: AtomicBool,
    /// Whether that is since its reader went away.
    pub(super) unread: AtomicBool,
    losses: Mutex<Losses>,
}

impl Health {
    /// Reads or changes what is known of lost output.
    pub(super) fn losses<T>(&self, look: impl FnOnce(&mut Losses) -> T) -> T {
        look(&mut self.losses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One stream, and why nothing is written to it any more.
struct Destination {
    writer: Box<dyn Write + Send>,
    fault: Option<io::Error>,
}

impl Destinations {
    /// Writes to two streams, and calls `on_broken` once when stdout can't be written to.
    pub(super) fn new(
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
        on_broken: Box<dyn FnOnce() + Send>,
        health: Arc<Health>,
    ) -> Self {
        let open = |writer| Destination { writer, fault: None };
        Self { stdout: open(stdout), stderr: open(stderr), on_broken: Some(on_broken), health }
    }

    /// Writes a block.
    pub(super) fn write(&mut self, block: &Block) {
        for (stream, run) in block.runs() {
            self.write_run(stream, run);
        }
    }

    /// Writes a piece of one stream.
    pub(super) fn write_run(&mut self, stream: Stream, run: &[u8]) {
        let destination = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let lost = destination.write(run);
        let Some(fault) = &destination.fault else { return };
        let is_reader_gone = fault.kind() == io::ErrorKind::BrokenPipe;
        if lost > 0 && !is_reader_gone {
            self.health.losses(|losses| losses.of_stream(stream, lost, fault));
        }
        if stream == Stream::Stdout {
            self.health.unread.store(is_reader_gone, Ordering::Release);
            self.health.broken.store(true, Ordering::Release);
            if let Some(tell) = self.on_broken.take() {
                tell();
            }
        }
    }

    /// Says on stderr that bytes are missing at this place.
    pub(super) fn report(&mut self, gap: &Gap) {
        self.health.losses(|losses| losses.of_waiting(gap));
        let text = format!("[fabrs] {} bytes of output not shown: {}\n", gap.bytes.all(), gap.cause);
        self.write_run(Stream::Stderr, text.as_bytes());
    }
}

impl Destination {
    /// Writes bytes, and returns how many of them are lost.
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
