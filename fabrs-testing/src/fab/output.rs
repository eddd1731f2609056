//! A run that has ended.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

/// What a run left.
#[derive(Debug, Clone)]
pub struct FabOutput {
    /// The exit code; 128+n where signal n ended it, as a shell shows it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// The directory of the project; it is removed with this value.
    pub dir: PathBuf,
    pub(super) _keep: Arc<TempDir>,
}
