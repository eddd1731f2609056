//! Parameters for the download of a tree.

use super::entry::DirectoryEntry;
use super::local_path::LocalPath;
use crate::error::Result;

/// Returns the local path of an entry, or `None` to skip the entry.
pub(crate) type LocalPathOf<'a> = &'a (dyn Fn(&DirectoryEntry) -> Result<Option<LocalPath>> + Sync);

/// The action for files that differ from the local files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DownloadMode {
    /// Write the files with this mode, or with the mode on the host.
    Write(Option<u32>),
    /// Compare only, in a dry run.
    Compare,
}
