//! [`TreeResult`]: the written and removed entries of a tree upload.

use std::path::PathBuf;

use super::job::Tree;

/// The result of a tree upload.
#[derive(Debug)]
pub(crate) struct TreeResult {
    /// For each entry, true if the entry was written. `None` for an entry that needs a separate
    /// upload.
    pub(crate) entries: Vec<Option<bool>>,
    /// The removed paths, relative to the root.
    pub(crate) removed: Vec<PathBuf>,
}

impl TreeResult {
    /// Creates the result of an upload without any written entry.
    pub(crate) fn nothing(tree: &Tree) -> Self {
        Self { entries: vec![None; tree.jobs.len()], removed: Vec::new() }
    }
}
