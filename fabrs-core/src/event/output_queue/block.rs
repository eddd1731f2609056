//! [`Block`]: a buffer with pieces of stdout and stderr in order.

use crate::event::stream::Stream;

/// The size of a segment's header in bytes. The header has the length and the stream as one number.
const HEADER: usize = size_of::<usize>();

/// Pieces of stdout and stderr in order. Adjacent pieces of the same stream form a segment, written
/// with one call.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    /// The stream of the last segment, the position of its header, and its length.
    last: Option<(Stream, usize, usize)>,
}

/// A number of bytes of each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StreamLengths {
    pub(super) stdout: u64,
    pub(super) stderr: u64,
}

impl StreamLengths {
    /// Returns the number of bytes of a stream.
    pub(super) fn of(&mut self, stream: Stream) -> &mut u64 {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Adds the numbers of both streams.
    pub(super) fn add(&mut self, others: Self) {
        self.stdout += others.stdout;
        self.stderr += others.stderr;
    }

    /// Returns the sum of both streams.
    pub(super) fn all(self) -> u64 {
        self.stdout + self.stderr
    }
}

impl Block {
    /// The capacity of a block in bytes, including headers. A block is large enough to make system
    /// calls cheap, and small enough to stay in the processor cache between the two copies.
    pub(super) const SIZE: usize = 256 << 10;

    /// Returns the maximum length of the next piece.
    pub(super) fn room(&self) -> usize {
        Self::SIZE.saturating_sub(self.bytes.len() + HEADER)
    }

    /// Appends a piece of at most [`room`](Self::room) bytes.
    pub(super) fn push(&mut self, stream: Stream, piece: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(Self::SIZE);
        }
        let (at, length) = match self.last {
            Some((last, at, length)) if last == stream => (at, length + piece.len()),
            _ => {
                self.bytes.extend_from_slice(&[0; HEADER]);
                (self.bytes.len() - HEADER, piece.len())
            }
        };
        self.bytes.extend_from_slice(piece);
        if let Some(header) = self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *header = (length << 1 | usize::from(stream == Stream::Stderr)).to_ne_bytes();
        }
        self.last = Some((stream, at, length));
    }

    /// Returns the segments in order. Adjacent segments are of different streams.
    pub(super) fn segments(&self) -> impl Iterator<Item = (Stream, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (header, after) = rest.split_first_chunk()?;
            let number = usize::from_ne_bytes(*header);
            let (segment, after) = after.split_at_checked(number >> 1)?;
            rest = after;
            Some((if number & 1 == 1 { Stream::Stderr } else { Stream::Stdout }, segment))
        })
    }

    /// Returns the number of appended bytes of each stream.
    pub(super) fn lengths(&self) -> StreamLengths {
        let mut lengths = StreamLengths::default();
        for (stream, segment) in self.segments() {
            *lengths.of(stream) += segment.len() as u64;
        }
        lengths
    }

    /// Returns whether the block has no pieces.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Removes all pieces and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.last = None;
    }

    /// Returns the stored form of the block.
    pub(super) fn as_stored(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns a buffer for a stored block of `length` bytes.
    ///
    /// A stored block is only read and never extended, so its last segment is not needed.
    pub(super) fn for_stored(&mut self, length: usize) -> &mut [u8] {
        self.last = None;
        self.bytes.resize(length, 0);
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_pieces_of_one_stream_form_one_segment() {
        let mut block = Block::default();
        for (stream, piece) in [
            (Stream::Stdout, "a"),
            (Stream::Stdout, "b"),
            (Stream::Stderr, "c"),
            (Stream::Stdout, ""),
            (Stream::Stdout, "d"),
        ] {
            block.push(stream, piece.as_bytes());
        }
        let segments: Vec<_> = block.segments().collect();
        assert_eq!(segments, [(Stream::Stdout, &b"ab"[..]), (Stream::Stderr, b"c"), (Stream::Stdout, b"d")]);
        assert_eq!(block.lengths(), StreamLengths { stdout: 3, stderr: 1 });
    }

    #[test]
    fn a_stored_block_is_read_back_unchanged() {
        let mut block = Block::default();
        block.push(Stream::Stderr, &[0, 255, 7]);
        block.push(Stream::Stdout, b"x");
        let mut back = Block::default();
        back.for_stored(block.as_stored().len()).copy_from_slice(block.as_stored());
        assert!(back.segments().eq(block.segments()));
    }

    #[test]
    fn a_full_block_has_its_size_and_no_room() {
        let mut block = Block::default();
        block.push(Stream::Stdout, b"a");
        block.push(Stream::Stderr, &vec![1; block.room()]);
        assert_eq!(block.room(), 0);
        assert_eq!(block.as_stored().len(), Block::SIZE);
    }
}
