//! Reading a file that several hosts want: each piece once, as far as they keep up with each other.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::window::{Lane, Window};

/// How much is read at a time.
pub(super) const PIECE: usize = 256 << 10;
/// How many pieces are kept where several hosts want them: for each of the channels of a host a few.
const KEPT: usize = 128;

/// How long who is ahead waits for those behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For one piece.
    pub(super) at_most: Duration,
    /// In all, of the time since it has begun: one part of so many.
    pub(super) one_of: u32,
}

impl Patience {
    /// A host that is much slower than the others costs each of them at most half as much time again, and reads for itself.
    pub(super) const SOME: Self = Self { at_most: Duration::from_millis(100), one_of: 3 };
}

/// What the readers of one file have in common.
#[derive(Debug)]
pub(super) struct Pieces {
    window: Mutex<Window>,
    /// Held by who reads a piece.
    reading: Mutex<()>,
    /// Told when a piece was read, when one is not kept any more, and when somebody wants none any more.
    news: Condvar,
    patience: Patience,
    #[cfg(test)]
    pub(super) reads: std::sync::atomic::AtomicUsize,
}

impl Pieces {
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
    pieces: &'a Pieces,
    file: File,
    lane: Lane,
    at: u64,
    end: u64,
    piece: Option<(u64, Bytes)>,
    begun: Instant,
    waited: Duration,
}

impl<'a> Reader<'a> {
    pub(super) fn new(pieces: &'a Pieces, file: File, lane: Lane, start: u64, end: u64) -> Self {
        pieces.window().begin(lane, start / PIECE as u64..end.div_ceil(PIECE as u64));
        Self { pieces, file, lane, at: start, end, piece: None, begun: Instant::now(), waited: Duration::ZERO }
    }

    /// Returns a piece, which whoever comes first reads.
    fn piece(&mut self, number: u64) -> io::Result<Bytes> {
        let pieces = self.pieces;
        loop {
            if let Some(piece) = self.kept(number) {
                return Ok(piece);
            }
            // One after the other, which keeps them together; and whoever joins or leaves need not wait for a disk.
            let reading = pieces.reading.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(piece) = self.kept(number) {
                return Ok(piece);
            }
            let patience = self.patience();
            let mut window = pieces.window();
            if window.make_room(!patience.is_zero()) {
                drop(window);
                let piece = self.read_piece(number)?;
                pieces.window().give(self.lane, number, &piece);
                pieces.news.notify_all();
                return Ok(piece);
            }
            drop(reading);
            let since = Instant::now();
            drop(pieces.news.wait_timeout(window, patience));
            self.waited += since.elapsed();
        }
    }

    /// Takes a piece that is kept.
    fn kept(&self, number: u64) -> Option<Bytes> {
        let mut window = self.pieces.window();
        let kept = window.kept();
        let piece = window.take(self.lane, number)?;
        if window.kept() < kept {
            self.pieces.news.notify_all();
        }
        Some(piece)
    }

    /// Returns how long it still waits for others.
    fn patience(&self) -> Duration {
        let Patience { at_most, one_of } = self.pieces.patience;
        at_most.saturating_add(self.begun.elapsed() / one_of).saturating_sub(self.waited).min(at_most)
    }

    fn read_piece(&self, number: u64) -> io::Result<Bytes> {
        #[cfg(test)]
        self.pieces.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut piece = BytesMut::zeroed(PIECE);
        let mut length = 0;
        while let Some(rest) = piece.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, number * PIECE as u64 + length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        piece.truncate(length);
        Ok(piece.freeze())
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What is behind the end is that of a file which has grown, for whoever reads it to find out.
        if self.at >= self.end || self.piece.is_none() && self.pieces.window().is_of_one() {
            let read = self.file.read_at(buffer, self.at)?;
            self.at += read as u64;
            return Ok(read);
        }
        let (number, offset) = (self.at / PIECE as u64, usize::try_from(self.at % PIECE as u64).unwrap_or_default());
        let piece = match self.piece.take() {
            Some((known, piece)) if known == number => piece,
            _ => self.piece(number)?,
        };
        let rest = piece.get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count as u64;
        // A whole one is not asked for again.
        self.piece = (offset + count < piece.len()).then_some((number, piece));
        Ok(count)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.pieces.window().end(self.lane);
        self.pieces.news.notify_all();
    }
}
