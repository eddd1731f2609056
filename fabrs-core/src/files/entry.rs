//! What is in a folder of a host, and at a path.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One entry of a folder on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path below the folder.
    pub(super) below: PathBuf,
    pub(super) kind: EntryKind,
    /// Whether it was written here; nothing where it is still to be got.
    pub(super) done: Option<bool>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    /// A symlink, and what is in it.
    Link(PathBuf),
    /// A device, a pipe, a socket: it has no content that could be got.
    Other,
}

/// What is at a path: itself, and what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PathStat {
    pub(super) lstat: Option<Stat>,
    pub(super) stat: Option<Stat>,
}

/// What kind of file something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symlink.
    Symlink,
    /// A device, a pipe, a socket.
    Other,
}

impl FileKind {
    /// Returns that which the upper bits of a mode say (`sys/stat.h`).
    pub(super) fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::File,
            0o040_000 => Self::Folder,
            0o120_000 => Self::Symlink,
            _ => Self::Other,
        }
    }
}

/// What is to know of a file, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub(super) kind: FileKind,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) size: u64,
    pub(super) modified: i64,
}

impl Stat {
    /// Returns what kind of file it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Returns its mode, without its kind: `0o644`.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// Returns the number of the user whom it belongs to.
    pub fn uid(&self) -> u32 {
        self.owner.0
    }

    /// Returns the number of its group.
    pub fn gid(&self) -> u32 {
        self.owner.1
    }

    /// Returns its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns when it was changed last, by the host's clock and in whole seconds.
    pub fn modified(&self) -> SystemTime {
        let seconds = Duration::from_secs(self.modified.unsigned_abs());
        if self.modified < 0 { UNIX_EPOCH - seconds } else { UNIX_EPOCH + seconds }
    }
}
