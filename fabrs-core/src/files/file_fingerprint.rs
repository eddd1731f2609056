//! What tells whether a content is still what it was.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// How a content was when it was looked at: another size, another time, another file is another content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFingerprint {
    pub(super) size: u64,
    /// Of a file: which it is, and when it was changed, in seconds and nanoseconds.
    file: Option<(u64, i64, i64)>,
    /// The mode that it has here, where it is a file.
    pub(super) mode: Option<u32>,
}

impl FileFingerprint {
    /// Returns that of a file.
    pub(super) fn of(meta: &Metadata) -> Self {
        let file = Some((meta.ino(), meta.mtime(), meta.mtime_nsec()));
        Self { size: meta.len(), file, mode: Some(meta.mode() & 0o777) }
    }

    /// Returns that of a content which nobody can change.
    pub(super) fn of_size(size: u64) -> Self {
        Self { size, file: None, mode: None }
    }

    /// Returns the time of the last change in seconds since 1970, where it is a file.
    pub(super) fn modified(&self) -> Option<i64> {
        // Neither a stream nor `touch` says what was before.
        self.file.map(|(_, seconds, _)| seconds.max(0))
    }
}
