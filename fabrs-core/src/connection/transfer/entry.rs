//! What is in a folder of a host.

use std::path::PathBuf;

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
}
