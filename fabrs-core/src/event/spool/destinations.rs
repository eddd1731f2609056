//! [`Destinations`]: the two streams that are written to, and what happens when one of them can't be.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::backlog::Gap;
use super::block::Block;
use crate::event::Stream;

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
    pub(super) lost: AtomicU64,
}

/// One stream, and why nothing is written to it any more.
struct Destination {
    writer: Box<dyn Write + Send>,
    fault: Option<io::Error>,
    lost: u64,
}

impl Destinations {
    /// Writes to two streams, and calls `on_broken` once when stdout can't be written to.
    pub(super) fn new(
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
        on_broken: Box<dyn FnOnce() + Send>,
        health: Arc<Health>,
    ) -> Self {
        let open = |writer| Destination { writer, fault: None, lost: 0 };
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
        match stream {
            Stream::Stdout => {
                self.stdout.write(run);
                if let Some(fault) = &self.stdout.fault {
                    self.health.unread.store(fault.kind() == io::ErrorKind::BrokenPipe, Ordering::Release);
                    self.health.broken.store(true, Ordering::Release);
                    if let Some(tell) = self.on_broken.take() {
                        tell();
                    }
                }
            }
            Stream::Stderr => self.stderr.write(run),
        }
    }

    /// Says on stderr that bytes are missing.
    pub(super) fn report(&mut self, gap: &Gap) {
        self.health.lost.fetch_add(gap.bytes, Ordering::AcqRel);
        let text = format!("[fabrs] {} bytes of output not shown: {}\n", gap.bytes, gap.cause);
        self.stderr.write(text.as_bytes());
    }

    /// Says on stderr what stdout did not take, unless its reader went away on purpose, as `head` does.
    pub(super) fn close(&mut self) {
        let bytes = std::mem::take(&mut self.stdout.lost);
        if let Some(fault) = &self.stdout.fault
            && bytes > 0
            && fault.kind() != io::ErrorKind::BrokenPipe
        {
            let gap = Gap { bytes, cause: fault.to_string() };
            self.report(&gap);
        }
    }
}

impl Destination {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.fault.is_none() {
            match self.writer.write(rest) {
                Ok(0) => self.fault = Some(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.fault = Some(error),
            }
        }
        self.lost += rest.len() as u64;
        if self.fault.is_none() {
            self.fault = self.writer.flush().err();
        }
    }
}
