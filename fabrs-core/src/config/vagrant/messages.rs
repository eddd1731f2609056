//! Names in the messages about Vagrant.

use std::path::Path;

/// What is run, as messages name it.
pub(super) const COMMAND: &str = "vagrant ssh-config";

/// Returns a folder as messages name it.
pub(super) fn shown(folder: &Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("`{}`", whole.display())
}
