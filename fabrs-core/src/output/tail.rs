//! [`TailBuffer`]: the end of a stream in bounded memory.

use std::collections::VecDeque;

use crate::output::record::CapturedStream;

/// A buffer that keeps the end of a stream and drops the oldest bytes beyond a limit.
#[derive(Debug, Clone)]
pub(crate) struct TailBuffer {
    bytes: VecDeque<u8>,
    bound: usize,
    dropped: u64,
}

impl TailBuffer {
    /// The default limit of captured bytes: 1 MiB for each stream.
    pub(crate) const DEFAULT_BOUND: usize = 1 << 20;

    /// Makes an empty buffer of at most `bound` bytes.
    pub(crate) fn new(bound: usize) -> Self {
        Self { bytes: VecDeque::new(), bound, dropped: 0 }
    }

    /// Appends bytes of the stream.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        let over = (self.bytes.len() + piece.len()).saturating_sub(self.bound);
        let of_old = over.min(self.bytes.len());
        let of_new = over - of_old;
        if of_old == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..of_old);
        }
        self.bytes.extend(piece.get(of_new..).unwrap_or_default());
        self.dropped += over as u64;
    }

    /// Returns whether the stream has no bytes so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.dropped == 0
    }

    /// Returns the kept bytes and the number of dropped bytes.
    pub(crate) fn into_kept(self) -> CapturedStream {
        CapturedStream { bytes: self.bytes.into(), dropped: self.dropped }
    }
}

/// Returns the last `n` lines of `bytes`, without the last line end.
pub(crate) fn last_lines(bytes: &[u8], n: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(n)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_the_rest_is_counted() {
        let mut tail = TailBuffer::new(4);
        for piece in ["ab", "cd", "e", "", "fghijk"] {
            tail.push(piece.as_bytes());
        }
        let kept = tail.into_kept();
        assert_eq!((kept.bytes.as_slice(), kept.dropped), (&b"hijk"[..], 7));
    }
}
