//! Large files in parts, over several channels at once: a server limits the data in flight of each
//! channel.
//!
//! If the server rejects further channels, the open channels send all parts. The channel of the
//! transfer itself is always open. A part of a failed channel is sent by another channel.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Mutex, MutexGuard};

use futures::stream::{FuturesUnordered, StreamExt};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::content::UploadContent;
use super::disk_work::blocking;
use crate::error::Result;
use crate::mutex::lock;

/// The maximum number of channels for the parts of one file.
///
/// Time of an upload with six channels, as a ratio to one (medians of five pairs on loopback,
/// 2026-12-01): by scripts 0.54 (64 MiB at 20 ms) and 1.00 (256 MiB at 0 ms), by SFTP 0.83 and
/// 0.79.
const MAX_CHANNELS: usize = 6;
/// The block size in bytes. Each part starts at a multiple of the block size.
pub(crate) const BLOCK: u64 = 1 << 20;
/// The maximum size in bytes of a part. The channel waits one round trip for the acknowledgement of
/// each part.
const MAX_PART_SIZE: u64 = 32 * BLOCK;

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FilePart {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// The unsent parts of a file.
#[derive(Debug)]
pub(crate) struct Parts {
    queue: Mutex<Queue>,
    /// Notified when a part is complete, or is returned to the queue.
    changed: Notify,
    /// Cancelled at the end of the transfer.
    done: CancellationToken,
}

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<FilePart>,
    in_progress: usize,
}

impl Parts {
    /// Divides a file into parts of similar size, without the blocks marked in `kept`.
    pub(crate) fn of(size: u64, kept: &[bool]) -> Self {
        let queue = Mutex::new(Queue { waiting: divide(size, kept), in_progress: 0 });
        Self { queue, changed: Notify::new(), done: CancellationToken::new() }
    }

    /// Returns the number of bytes of all queued parts.
    pub(crate) fn size(&self) -> u64 {
        self.queue().waiting.iter().map(|part| part.length).sum()
    }

    /// Sends all parts by the `first` channel and by additional channels, opened by `help`. `first`
    /// must run until all parts are complete.
    pub(crate) async fn transfer<E, H: Future<Output = ()>>(
        &self,
        first: impl Future<Output = Result<(), E>>,
        help: impl Fn() -> H,
    ) -> Result<(), E> {
        let count = MAX_CHANNELS.min(self.counts().0);
        let helpers = (1..count).map(|_| async {
            tokio::select! {
                // Cancels additional channels that are not open yet.
                () = self.done.cancelled() => {}
                () = help() => {}
            }
        });
        let mut helpers: FuturesUnordered<_> = helpers.collect();
        let mut first = std::pin::pin!(first);
        let transferred = loop {
            tokio::select! {
                transferred = &mut first => break transferred,
                Some(()) = helpers.next() => {}
            }
        };
        self.done.cancel();
        while helpers.next().await.is_some() {}
        transferred
    }

    /// Returns the next queued part.
    pub(crate) fn take(&self) -> Option<PartGuard<'_>> {
        let mut queue = self.queue();
        let part = queue.waiting.pop_front()?;
        queue.in_progress += 1;
        Some(PartGuard { parts: self, part, is_complete: false })
    }

    /// Waits for the next part, including parts returned by other channels. Returns `None` if all
    /// parts are complete.
    pub(crate) async fn take_until_complete(&self) -> Option<PartGuard<'_>> {
        loop {
            let changed = self.changed.notified();
            if let Some(taken) = self.take() {
                return Some(taken);
            }
            match self.counts() {
                (0, 0) => return None,
                (0, _) => changed.await,
                _ => {}
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Returns the numbers of queued parts and of parts in transfer.
    fn counts(&self) -> (usize, usize) {
        let queue = self.queue();
        (queue.waiting.len(), queue.in_progress)
    }
}

/// A part in transfer. An incomplete part returns to the queue on drop.
pub(crate) struct PartGuard<'a> {
    parts: &'a Parts,
    pub(crate) part: FilePart,
    is_complete: bool,
}

impl PartGuard<'_> {
    pub(crate) fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for PartGuard<'_> {
    fn drop(&mut self) {
        let mut queue = self.parts.queue();
        queue.in_progress -= 1;
        if !self.is_complete {
            queue.waiting.push_back(self.part);
        }
        drop(queue);
        self.parts.changed.notify_one();
    }
}

/// Returns true for each block of a sparse file that is a hole.
pub(crate) async fn holes(content: &UploadContent) -> Result<Vec<bool>> {
    let content = content.clone();
    blocking(move || match content.file()? {
        // On a file system without `SEEK_HOLE`, all blocks are data.
        Some((file, size)) => Ok(holes_of(&file, size).unwrap_or_default()),
        None => Ok(Vec::new()),
    })
    .await
}

fn holes_of(file: &File, size: u64) -> Result<Vec<bool>, Errno> {
    let mut holes = vec![true; usize::try_from(size.div_ceil(BLOCK)).unwrap_or_default()];
    let mut at = 0;
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // The rest of the file is a hole.
            Err(Errno::NXIO) => break,
            Err(errno) => return Err(errno),
        };
        at = seek(file, SeekFrom::Hole(start))?;
        let blocks =
            usize::try_from(start / BLOCK).unwrap_or_default()..usize::try_from(at.div_ceil(BLOCK)).unwrap_or_default();
        holes.get_mut(blocks).into_iter().flatten().for_each(|hole| *hole = false);
    }
    Ok(holes)
}

fn divide(size: u64, kept: &[bool]) -> VecDeque<FilePart> {
    let is_kept = |start: u64| {
        let number = usize::try_from(start / BLOCK).unwrap_or(usize::MAX);
        kept.get(number).copied().unwrap_or(false)
    };
    let blocks = (0..size).step_by(usize::try_from(BLOCK).unwrap_or(usize::MAX)).filter(|start| !is_kept(*start));
    let left = blocks.clone().count() as u64 * BLOCK;
    let each = (left / MAX_CHANNELS as u64).next_multiple_of(BLOCK).clamp(BLOCK, MAX_PART_SIZE);
    let mut parts: VecDeque<FilePart> = VecDeque::new();
    for start in blocks {
        let length = BLOCK.min(size - start);
        match parts.back_mut() {
            Some(last) if last.start + last.length == start && last.length < each => last.length += length,
            _ => parts.push_back(FilePart { start, length }),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(size: u64, kept: &[u64], expected: &[(u64, u64)]) {
        let kept: Vec<_> = (0..size.div_ceil(BLOCK)).map(|number| kept.contains(&number)).collect();
        let parts: Vec<_> = divide(size, &kept).into_iter().map(|part| (part.start, part.length)).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn kept_blocks_are_in_no_part() {
        const MIB: u64 = BLOCK;
        let of_two = [(0, 2 * MIB), (2 * MIB, 2 * MIB), (4 * MIB, 2 * MIB), (6 * MIB, 2 * MIB), (8 * MIB, 2 * MIB)];
        case(10 * MIB, &[], &of_two);
        case(3 * MIB + 7, &[0, 2], &[(MIB, MIB), (3 * MIB, 7)]);
        case(2 * MIB, &[0, 1], &[]);
        case(0, &[], &[]);
    }

    #[tokio::test]
    async fn an_unwritten_block_is_a_hole() {
        use std::os::unix::fs::FileExt;

        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.as_file().set_len(6 * BLOCK).expect("the file is writable");
        file.as_file().write_all_at(b"x", 2 * BLOCK + 5).expect("the file is writable");
        file.as_file().write_all_at(&vec![b'x'; 8192], 4 * BLOCK - 4096).expect("the file is writable");
        let found = holes(&UploadContent::Path(file.path().to_owned())).await.expect("the file is readable");
        assert_eq!(found, [true, true, false, false, false, true]);
        assert!(holes(&UploadContent::Bytes(vec![0; 10].into())).await.expect("the content is in memory").is_empty());
    }

    #[tokio::test]
    async fn a_returned_part_is_sent_by_another_channel() {
        let parts = Parts::of(3 * BLOCK, &[]);
        let transferred = Mutex::new(Vec::new());
        let first = async {
            while let Some(taken) = parts.take_until_complete().await {
                transferred.lock().expect("no panic").push(taken.part.start / BLOCK);
                taken.complete();
                // Yield, so that other channels get a part.
                tokio::task::yield_now().await;
            }
            Ok::<_, ()>(())
        };
        let help = || async {
            let taken = parts.take();
            tokio::task::yield_now().await;
            drop(taken);
        };
        assert_eq!(parts.transfer(first, help).await, Ok(()));
        let mut transferred = transferred.into_inner().expect("no panic");
        transferred.sort_unstable();
        assert_eq!(transferred, [0, 1, 2]);
    }
}
