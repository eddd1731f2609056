//! The home of who runs this program.

use std::path::{Path, PathBuf};

/// Puts the home of who runs this program in the place of a leading `~`.
pub(super) fn expand_tilde(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), crate::config::ProcessEnv::from_env().home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
