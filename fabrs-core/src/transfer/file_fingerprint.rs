//! [`FileFingerprint`]: size, inode and modification time, to detect a change during a transfer.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// The fingerprint of a content. A changed file has another size, inode or modification time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileFingerprint {
    pub(crate) size: u64,
    /// The inode and the modification time in seconds and nanoseconds, for a file.
    file: Option<(u64, i64, i64)>,
    /// The local permission bits, for a file.
    pub(crate) mode: Option<u32>,
}

impl FileFingerprint {
    /// Returns the fingerprint of a file.
    pub(crate) fn of(meta: &Metadata) -> Self {
        let file = Some((meta.ino(), meta.mtime(), meta.mtime_nsec()));
        Self { size: meta.len(), file, mode: Some(meta.mode() & 0o777) }
    }

    /// Returns the fingerprint of a content in memory.
    pub(crate) fn of_size(size: u64) -> Self {
        Self { size, file: None, mode: None }
    }

    /// Returns the modification time of a file in seconds since 1970.
    pub(crate) fn modified(&self) -> Option<i64> {
        // Neither tar streams nor `touch` accept a time before 1970.
        self.file.map(|(_, seconds, _)| seconds.max(0))
    }
}
