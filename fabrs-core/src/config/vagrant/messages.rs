//! Names in messages about Vagrant.

use std::path::Path;

/// The command in messages.
pub(super) const COMMAND: &str = "vagrant ssh-config";

/// Returns the absolute path of a directory for messages.
pub(super) fn quoted_path(folder: &Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("`{}`", whole.display())
}
