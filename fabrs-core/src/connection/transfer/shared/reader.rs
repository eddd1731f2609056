//! Reading a file that several hosts want: each block once, as far as they keep up with each other.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::window::{Lane, Window};

/// How much is read at a time.
pub(super) const BLOCK: usize = 256 << 10;
/// How many blocks are kept where several hosts want them: for each of the channels of a host a few.
const KEPT: usize = 128;

/// How long who is ahead waits for those behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For one block.
    pub(super) at_most: Duration,
    /// In all, of the time since it has begun: one part of so many.
    pub(super) share: u32,
}

impl Patience {
    /// A host that is much slower than the others costs each of them at most half as much time again, and reads for itself.
    pub(super) const SOME: Self = Self { at_most: Duration::from_millis(100), share: 3 };
}

/// What the readers of one file have in common.
#[derive(Debug)]
pub(super) struct Blocks {
    window: Mutex<Window>,
    /// Held by who reads a block.
    reading: Mutex<()>,
    /// Told when a block was read, when one is not kept any more, and when somebody wants none any more.
    news: Condvar,
    patience: Patience,
    #[cfg(test)]
    pub(super) reads: std::sync::atomic::AtomicUsize,
}

impl Blocks {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            window: Mutex::new(Window::new(KEPT)),
            reading: Mutex::default(),
            news: Condvar::new(),
            patience,
            #[cfg(test)]
            reads: std::sync::atomic::AtomicUsize::default(),
        }
    }

    pub(super) fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leave(&self, host: u64) {
        self.window().leave(host);
        self.news.notify_all();
    }
}

/// Reads a part of a file for one channel of a host.
pub(super) struct Reader<'a> {
    blocks: &'a Blocks,
    file: File,
    lane: Lane,
    at: u64,
    end: u64,
    block: Option<(u64, Bytes)>,
    begun: Instant,
    waited: Duration,
}

impl<'a> Reader<'a> {
    pub(super) fn new(blocks: &'a Blocks, file: File, lane: Lane, start: u64, end: u64) -> Self {
        blocks.window().begin(lane, start / BLOCK as u64..end.div_ceil(BLOCK as u64));
        Self { blocks, file, lane, at: start, end, block: None, begun: Instant::now(), waited: Duration::ZERO }
    }

    /// Returns a block, which whoever comes first reads.
    fn block(&mut self, number: u64) -> io::Result<Bytes> {
        let blocks = self.blocks;
        loop {
            if let Some(block) = self.kept(number) {
                return Ok(block);
            }
            // One after the other, which keeps them together; and whoever joins or leaves need not wait for a disk.
            let reading = blocks.reading.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(block) = self.kept(number) {
                return Ok(block);
            }
            let patience = self.patience();
            let mut window = blocks.window();
            if window.make_room(!patience.is_zero()) {
                drop(window);
                let block = self.read_block(number)?;
                blocks.window().give(self.lane, number, &block);
                blocks.news.notify_all();
                return Ok(block);
            }
            drop(reading);
            let since = Instant::now();
            drop(blocks.news.wait_timeout(window, patience));
            self.waited += since.elapsed();
        }
    }

    /// Takes a block that is kept.
    fn kept(&self, number: u64) -> Option<Bytes> {
        let mut window = self.blocks.window();
        let kept = window.kept();
        let block = window.take(self.lane, number)?;
        if window.kept() < kept {
            self.blocks.news.notify_all();
        }
        Some(block)
    }

    /// Returns how long it still waits for others.
    fn patience(&self) -> Duration {
        let Patience { at_most, share } = self.blocks.patience;
        at_most.saturating_add(self.begun.elapsed() / share).saturating_sub(self.waited).min(at_most)
    }

    fn read_block(&self, number: u64) -> io::Result<Bytes> {
        #[cfg(test)]
        self.blocks.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut block = BytesMut::zeroed(BLOCK);
        let mut length = 0;
        while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, number * BLOCK as u64 + length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        block.truncate(length);
        Ok(block.freeze())
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What is behind the end is that of a file which has grown, for whoever reads it to find out.
        if self.at >= self.end || self.block.is_none() && self.blocks.window().is_of_one() {
            let read = self.file.read_at(buffer, self.at)?;
            self.at += read as u64;
            return Ok(read);
        }
        let (number, offset) = (self.at / BLOCK as u64, usize::try_from(self.at % BLOCK as u64).unwrap_or_default());
        let block = match self.block.take() {
            Some((known, block)) if known == number => block,
            _ => self.block(number)?,
        };
        let rest = block.get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count as u64;
        // A whole one is not asked for again.
        self.block = (offset + count < block.len()).then_some((number, block));
        Ok(count)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.blocks.window().end(self.lane);
        self.blocks.news.notify_all();
    }
}
