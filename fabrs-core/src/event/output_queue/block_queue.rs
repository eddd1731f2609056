//! [`BlockQueue`]: full blocks of output, first in memory and then in an unnamed file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::event::output_queue::block::{Block, StreamLengths};

/// The maximum number of blocks in memory while a file can store further blocks. With the current
/// block and the block of the writer, this is 4 MiB.
pub(super) const MAX_BLOCKS_IN_MEMORY: usize = 14;

/// The maximum number of blocks in memory if no file can be made: 32 MiB.
pub(super) const MAX_BLOCKS_WITHOUT_FILE: usize = 126;

/// A function that makes the temporary file.
pub(super) type MakeFile = fn() -> io::Result<File>;

/// Full blocks in order, in memory or in a file.
///
/// The file is made when the memory limit is reached, and closed when all its blocks are written.
/// The file reuses its slots, so it is never larger than the peak of waiting output. Without a
/// file, or on a full disk, blocks wait in memory up to a second limit. Further blocks are dropped
/// and counted. A report with the count replaces the dropped output.
#[derive(Debug)]
pub(super) struct BlockQueue {
    waiting: VecDeque<QueuedBlock>,
    in_memory: usize,
    make_file: MakeFile,
    file: Option<Arc<File>>,
    slots: u64,
    free_slots: Vec<u64>,
    /// The memory of a written block, for the next block.
    spare: Option<Block>,
}

/// An entry of the queue.
#[derive(Debug)]
pub(super) enum QueuedBlock {
    /// A block in memory.
    Memory(Block),
    /// A block in the file.
    File(StoredBlock),
    /// Bytes that were dropped.
    Dropped(DroppedBytes),
}

/// A block in the file.
#[derive(Debug)]
pub(super) struct StoredBlock {
    file: Arc<File>,
    slot: u64,
    /// The length in the file, in bytes.
    size: usize,
    /// The number of output bytes.
    lengths: StreamLengths,
}

/// The number of dropped bytes, and the reason.
#[derive(Debug)]
pub(super) struct DroppedBytes {
    pub(super) bytes: StreamLengths,
    pub(super) cause: io::Error,
}

impl QueuedBlock {
    /// Returns the number of output bytes.
    pub(super) fn bytes(&self) -> u64 {
        let lengths = match self {
            Self::Memory(block) => block.lengths(),
            Self::File(stored) => stored.lengths,
            Self::Dropped(dropped) => dropped.bytes,
        };
        lengths.all()
    }
}

impl BlockQueue {
    /// Makes an empty queue.
    pub(super) fn new(make_file: MakeFile) -> Self {
        let (waiting, free_slots) = (VecDeque::new(), Vec::new());
        Self { waiting, in_memory: 0, make_file, file: None, slots: 0, free_slots, spare: None }
    }

    /// Moves a block to the end of the queue and leaves an empty block.
    pub(super) fn add(&mut self, block: &mut Block) {
        if self.in_memory < MAX_BLOCKS_IN_MEMORY {
            return self.keep(block);
        }
        match self.store(block) {
            Ok(stored) => self.waiting.push_back(QueuedBlock::File(stored)),
            Err(_) if self.in_memory < MAX_BLOCKS_WITHOUT_FILE => return self.keep(block),
            Err(error) => self.drop_block(block.lengths(), error),
        }
        block.clear();
    }

    fn keep(&mut self, block: &mut Block) {
        let mut next = self.spare();
        next.clear();
        self.waiting.push_back(QueuedBlock::Memory(std::mem::replace(block, next)));
        self.in_memory += 1;
    }

    fn store(&mut self, block: &Block) -> io::Result<StoredBlock> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new((self.make_file)()?))),
        };
        let slot = self.free_slots.pop().unwrap_or(self.slots);
        if let Err(error) = file.write_all_at(block.as_stored(), slot * Block::SIZE as u64) {
            if slot < self.slots {
                self.free_slots.push(slot);
            }
            return Err(error);
        }
        self.slots = self.slots.max(slot + 1);
        Ok(StoredBlock { file, slot, size: block.as_stored().len(), lengths: block.lengths() })
    }

    fn drop_block(&mut self, bytes: StreamLengths, cause: io::Error) {
        match self.waiting.back_mut() {
            Some(QueuedBlock::Dropped(dropped)) => dropped.bytes.add(bytes),
            _ => self.waiting.push_back(QueuedBlock::Dropped(DroppedBytes { bytes, cause })),
        }
    }

    /// Removes and returns the first entry.
    pub(super) fn take(&mut self) -> Option<QueuedBlock> {
        let first = self.waiting.pop_front();
        if let Some(QueuedBlock::Memory(_)) = first {
            self.in_memory -= 1;
        }
        first
    }

    /// Keeps the memory of a written block.
    pub(super) fn recycle(&mut self, block: Block) {
        self.spare = Some(block);
    }

    /// Returns a buffer for the next block. The buffer reuses the memory of a written block, if
    /// any, and may have old content.
    pub(super) fn spare(&mut self) -> Block {
        self.spare.take().unwrap_or_default()
    }

    /// Frees the slot of a block that was read.
    ///
    /// Returns the file if no block is left in the file. Closing the file frees all its pages,
    /// which takes time, so the caller closes the file without holding the lock.
    pub(super) fn free_slot(&mut self, stored: &StoredBlock) -> Option<Arc<File>> {
        self.free_slots.push(stored.slot);
        if self.slots > self.free_slots.len() as u64 {
            return None;
        }
        self.slots = 0;
        self.free_slots.clear();
        self.file.take()
    }

    /// Returns the number of blocks in memory.
    #[cfg(test)]
    pub(super) fn in_memory(&self) -> usize {
        self.in_memory
    }

    /// Returns the number of slots of the file.
    #[cfg(test)]
    pub(super) fn slots(&self) -> u64 {
        self.slots
    }
}

impl StoredBlock {
    /// Reads the block. If this fails, returns the number of lost bytes.
    pub(super) fn read(&self, block: &mut Block) -> Result<(), DroppedBytes> {
        let room = block.for_stored(self.size);
        self.file.read_exact_at(room, self.slot * Block::SIZE as u64).map_err(|cause| {
            block.clear();
            DroppedBytes { bytes: self.lengths, cause }
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

    /// Takes the first block and returns its text, or `dropped N`.
    fn next(blocks: &mut BlockQueue) -> String {
        let block = match blocks.take().unwrap() {
            QueuedBlock::Memory(block) => block,
            QueuedBlock::File(stored) => {
                let mut block = Block::default();
                stored.read(&mut block).unwrap();
                blocks.free_slot(&stored);
                block
            }
            QueuedBlock::Dropped(dropped) => return format!("dropped {}: {}", dropped.bytes.all(), dropped.cause),
        };
        block.segments().map(|(_, segment)| String::from_utf8_lossy(segment).into_owned()).collect()
    }

    #[test]
    fn blocks_keep_their_order_in_memory_and_file() {
        let mut blocks = BlockQueue::new(tempfile::tempfile);
        let mut read = 0;
        for number in 0..200 {
            blocks.add(&mut numbered(number));
            assert!(blocks.in_memory() <= MAX_BLOCKS_IN_MEMORY);
            if number % 3 == 0 {
                assert_eq!(next(&mut blocks), read.to_string());
                read += 1;
            }
        }
        for number in read..200 {
            assert_eq!(next(&mut blocks), number.to_string());
        }
        assert!(blocks.take().is_none());
    }

    #[test]
    fn file_slots_are_reused_and_the_empty_file_is_closed() {
        let mut blocks = BlockQueue::new(tempfile::tempfile);
        for number in 0..MAX_BLOCKS_IN_MEMORY + 3 {
            blocks.add(&mut numbered(number));
        }
        for number in 0..500 {
            assert_eq!(next(&mut blocks), number.to_string());
            blocks.add(&mut numbered(number + MAX_BLOCKS_IN_MEMORY + 3));
            assert!(blocks.slots() <= 1 + MAX_BLOCKS_IN_MEMORY as u64 + 3, "{}", blocks.slots());
        }
        for number in 500..500 + MAX_BLOCKS_IN_MEMORY + 3 {
            assert_eq!(next(&mut blocks), number.to_string());
        }
        assert!(blocks.file.is_none());
        assert_eq!(blocks.slots(), 0);
    }

    #[track_caller]
    fn without_a_file(make_file: MakeFile, cause: &str) {
        let mut blocks = BlockQueue::new(make_file);
        for number in 100..100 + MAX_BLOCKS_WITHOUT_FILE + 2 {
            blocks.add(&mut numbered(number));
        }
        assert_eq!(blocks.in_memory(), MAX_BLOCKS_WITHOUT_FILE);
        assert_eq!(next(&mut blocks), "100");
        blocks.add(&mut numbered(900));
        for number in 101..100 + MAX_BLOCKS_WITHOUT_FILE {
            assert_eq!(next(&mut blocks), number.to_string());
        }
        assert_eq!(next(&mut blocks), format!("dropped 6: {cause}"));
        assert_eq!(next(&mut blocks), "900");
        assert!(blocks.take().is_none());
    }

    #[test]
    fn without_a_file_memory_is_used_and_the_rest_is_counted() {
        without_a_file(|| Err(io::Error::other("no room for files")), "no room for files");
    }

    #[test]
    fn a_full_disk_is_the_reported_cause() {
        let full = || File::options().read(true).write(true).open("/dev/full");
        without_a_file(full, "No space left on device (os error 28)");
    }
}
