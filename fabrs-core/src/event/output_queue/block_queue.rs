//! [`Backlog`]: full blocks that wait for the writer, in memory first and then in a file without a name.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::event::output_queue::block::{Block, Lengths};

/// How many blocks wait in memory before a file is used. With the block being filled and the one being written that
/// makes 4 MiB.
pub(super) const BLOCKS: usize = 14;

/// How many blocks wait in memory where no file can be had: 32 MiB.
pub(super) const BLOCKS_WITHOUT_FILE: usize = 126;

/// Makes the file.
pub(super) type MakeFile = fn() -> io::Result<File>;

/// Full blocks in their order, wherever each of them is.
///
/// A file is made when memory is used up and given back as soon as nothing is left in it. Its places are used again, so
/// it is never larger than what waited at the worst moment. Without a file (none can be made, the disk is full) memory
/// takes over up to a second bound; what is beyond that is dropped, counted, and reported where it is missing.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    in_memory: usize,
    make_file: MakeFile,
    file: Option<Arc<File>>,
    places: u64,
    free: Vec<u64>,
    /// Memory of a block that was written, for the next one.
    spare: Option<Block>,
}

/// What waits at one point of the queue.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A block in memory.
    Memory(Block),
    /// A block in the file.
    Stored(Stored),
    /// Bytes that could not be kept.
    Gap(Gap),
}

/// A block in the file.
#[derive(Debug)]
pub(super) struct Stored {
    file: Arc<File>,
    place: u64,
    /// How many bytes it takes in the file.
    size: usize,
    /// How many bytes were pushed to it.
    lengths: Lengths,
}

/// Bytes that could not be kept, and the reason.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) bytes: Lengths,
    pub(super) cause: io::Error,
}

impl Waiting {
    /// Returns the number of bytes that were pushed to it.
    pub(super) fn bytes(&self) -> u64 {
        let lengths = match self {
            Self::Memory(block) => block.lengths(),
            Self::Stored(stored) => stored.lengths,
            Self::Gap(gap) => gap.bytes,
        };
        lengths.all()
    }
}

impl Backlog {
    /// Makes an empty backlog.
    pub(super) fn new(make_file: MakeFile) -> Self {
        let (waiting, free) = (VecDeque::new(), Vec::new());
        Self { waiting, in_memory: 0, make_file, file: None, places: 0, free, spare: None }
    }

    /// Moves a block to the end of the queue and leaves an empty one.
    pub(super) fn add(&mut self, block: &mut Block) {
        if self.in_memory < BLOCKS {
            return self.keep(block);
        }
        match self.store(block) {
            Ok(stored) => self.waiting.push_back(Waiting::Stored(stored)),
            Err(_) if self.in_memory < BLOCKS_WITHOUT_FILE => return self.keep(block),
            Err(error) => self.miss(block.lengths(), error),
        }
        block.clear();
    }

    fn keep(&mut self, block: &mut Block) {
        let mut next = self.spare();
        next.clear();
        self.waiting.push_back(Waiting::Memory(std::mem::replace(block, next)));
        self.in_memory += 1;
    }

    fn store(&mut self, block: &Block) -> io::Result<Stored> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new((self.make_file)()?))),
        };
        let place = self.free.pop().unwrap_or(self.places);
        if let Err(error) = file.write_all_at(block.as_stored(), place * Block::SIZE as u64) {
            if place < self.places {
                self.free.push(place);
            }
            return Err(error);
        }
        self.places = self.places.max(place + 1);
        Ok(Stored { file, place, size: block.as_stored().len(), lengths: block.lengths() })
    }

    fn miss(&mut self, bytes: Lengths, cause: io::Error) {
        match self.waiting.back_mut() {
            Some(Waiting::Gap(gap)) => gap.bytes.add(bytes),
            _ => self.waiting.push_back(Waiting::Gap(Gap { bytes, cause })),
        }
    }

    /// Takes what waits longest.
    pub(super) fn take(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front();
        if let Some(Waiting::Memory(_)) = first {
            self.in_memory -= 1;
        }
        first
    }

    /// Takes back the memory of a block that was written.
    pub(super) fn recycle(&mut self, block: Block) {
        self.spare = Some(block);
    }

    /// Returns a block to read into, with the memory and the content of one that was written if there is one.
    pub(super) fn spare(&mut self) -> Block {
        self.spare.take().unwrap_or_default()
    }

    /// Takes back the place of a block that was read.
    ///
    /// Returns the file once nothing is left in it. Closing it frees all its pages, which takes a while, so the caller
    /// does that where nobody waits for it.
    pub(super) fn release(&mut self, stored: &Stored) -> Option<Arc<File>> {
        self.free.push(stored.place);
        if self.places > self.free.len() as u64 {
            return None;
        }
        self.places = 0;
        self.free.clear();
        self.file.take()
    }

    /// Returns how many blocks are in memory.
    #[cfg(test)]
    pub(super) fn in_memory(&self) -> usize {
        self.in_memory
    }

    /// Returns how many places the file has.
    #[cfg(test)]
    pub(super) fn places(&self) -> u64 {
        self.places
    }
}

impl Stored {
    /// Reads the block; where that fails, says what is missing.
    pub(super) fn read(&self, block: &mut Block) -> Result<(), Gap> {
        let room = block.for_stored(self.size);
        self.file.read_exact_at(room, self.place * Block::SIZE as u64).map_err(|cause| {
            block.clear();
            Gap { bytes: self.lengths, cause }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stream;

    fn numbered(number: usize) -> Block {
        let mut block = Block::default();
        block.push(Stream::Stdout, number.to_string().as_bytes());
        block
    }

    /// Takes the first block and returns its text, or `gap N`.
    fn next(backlog: &mut Backlog) -> String {
        let block = match backlog.take().unwrap() {
            Waiting::Memory(block) => block,
            Waiting::Stored(stored) => {
                let mut block = Block::default();
                stored.read(&mut block).unwrap();
                backlog.release(&stored);
                block
            }
            Waiting::Gap(gap) => return format!("gap {}: {}", gap.bytes.all(), gap.cause),
        };
        block.runs().map(|(_, run)| String::from_utf8_lossy(run).into_owned()).collect()
    }

    #[test]
    fn order_holds_while_memory_and_file_take_turns() {
        let mut backlog = Backlog::new(tempfile::tempfile);
        let mut read = 0;
        for number in 0..200 {
            backlog.add(&mut numbered(number));
            assert!(backlog.in_memory() <= BLOCKS);
            if number % 3 == 0 {
                assert_eq!(next(&mut backlog), read.to_string());
                read += 1;
            }
        }
        for number in read..200 {
            assert_eq!(next(&mut backlog), number.to_string());
        }
        assert!(backlog.take().is_none());
    }

    #[test]
    fn places_in_the_file_are_used_again_and_the_file_is_given_back() {
        let mut backlog = Backlog::new(tempfile::tempfile);
        for number in 0..BLOCKS + 3 {
            backlog.add(&mut numbered(number));
        }
        for number in 0..500 {
            assert_eq!(next(&mut backlog), number.to_string());
            backlog.add(&mut numbered(number + BLOCKS + 3));
            assert!(backlog.places() <= 1 + BLOCKS as u64 + 3, "{}", backlog.places());
        }
        for number in 500..500 + BLOCKS + 3 {
            assert_eq!(next(&mut backlog), number.to_string());
        }
        assert!(backlog.file.is_none());
        assert_eq!(backlog.places(), 0);
    }

    #[track_caller]
    fn without_a_file(make_file: MakeFile, cause: &str) {
        let mut backlog = Backlog::new(make_file);
        for number in 100..100 + BLOCKS_WITHOUT_FILE + 2 {
            backlog.add(&mut numbered(number));
        }
        assert_eq!(backlog.in_memory(), BLOCKS_WITHOUT_FILE);
        assert_eq!(next(&mut backlog), "100");
        backlog.add(&mut numbered(900));
        for number in 101..100 + BLOCKS_WITHOUT_FILE {
            assert_eq!(next(&mut backlog), number.to_string());
        }
        assert_eq!(next(&mut backlog), format!("gap 6: {cause}"));
        assert_eq!(next(&mut backlog), "900");
        assert!(backlog.take().is_none());
    }

    #[test]
    fn without_a_file_memory_takes_over_and_what_is_beyond_is_counted() {
        without_a_file(|| Err(io::Error::other("no room for files")), "no room for files");
    }

    #[test]
    fn a_full_disk_is_told_as_the_cause() {
        let full = || File::options().read(true).write(true).open("/dev/full");
        without_a_file(full, "No space left on device (os error 28)");
    }
}
