//! Expansion of `~` in local paths.

use std::path::{Path, PathBuf};

/// Replaces a leading `~` by the home of the local user. Without a home, the path is unchanged.
pub(crate) fn expand_tilde(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), crate::config::ProcessEnv::from_env().home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
