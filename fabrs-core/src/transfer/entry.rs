//! Directory entries and metadata of a host: [`DirectoryEntry`], [`FileKind`] and [`Stat`].

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An entry of a directory of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryEntry {
    /// The path below the directory.
    pub(crate) below: PathBuf,
    pub(crate) kind: EntryKind,
    /// True if the local file was written, or `None` if the file is still to be downloaded.
    pub(crate) done: Option<bool>,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    /// A symlink, with its target.
    Link(PathBuf),
    /// A device, a pipe or a socket. These have no content to download.
    Other,
}

/// The metadata of a path: of the path itself, and of the target of a symlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PathStat {
    pub(crate) lstat: Option<Stat>,
    pub(crate) stat: Option<Stat>,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink.
    Symlink,
    /// A device, a pipe or a socket.
    Other,
}

impl FileKind {
    /// Returns the kind in the upper bits of a mode (`sys/stat.h`).
    pub(crate) fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::File,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            _ => Self::Other,
        }
    }
}

/// The metadata of a file, as of `stat(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub(crate) kind: FileKind,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) size: u64,
    pub(crate) modified: i64,
}

impl Stat {
    /// Returns the kind of the file.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Returns the permission bits, such as `0o644`, without the kind.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// Returns the numeric user ID of the owner.
    pub fn uid(&self) -> u32 {
        self.owner.0
    }

    /// Returns the numeric group ID.
    pub fn gid(&self) -> u32 {
        self.owner.1
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the modification time, by the clock of the host, in whole seconds.
    pub fn modified(&self) -> SystemTime {
        let seconds = Duration::from_secs(self.modified.unsigned_abs());
        if self.modified < 0 { UNIX_EPOCH - seconds } else { UNIX_EPOCH + seconds }
    }
}
