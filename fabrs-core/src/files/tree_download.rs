//! The parameters of the download of a tree.

use super::entry::Entry;
use super::local_path::LocalPath;
use crate::error::Result;

/// Says where an entry of a folder goes on this machine, if it does.
pub(super) type LocalPathOf<'a> = &'a (dyn Fn(&Entry) -> Result<Option<LocalPath>> + Sync);

/// What is done with the files of a folder that differ from those here.
#[derive(Debug, Clone, Copy)]
pub(super) enum DownloadMode {
    /// They are written, with this mode or that of the host.
    Write(Option<u32>),
    /// They are only compared: a dry run.
    Compare,
}
