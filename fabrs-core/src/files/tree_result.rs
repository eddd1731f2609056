//! [`TreeResult`]: the entries that a transfer of a tree wrote and removed.

use std::path::PathBuf;

use super::job::Tree;

/// The result of an upload of a tree.
#[derive(Debug)]
pub(super) struct TreeResult {
    /// For each entry, true if it was written. `None` for an entry that needs an upload of its own.
    pub(super) entries: Vec<Option<bool>>,
    /// The removed paths, relative to the root.
    pub(super) removed: Vec<PathBuf>,
}

impl TreeResult {
    /// Returns the result without any written entry.
    pub(super) fn nothing(tree: &Tree) -> Self {
        Self { entries: vec![None; tree.jobs.len()], removed: Vec::new() }
    }
}
