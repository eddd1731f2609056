//! Output of a finished run.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

/// Exit code and output of a finished run.
#[derive(Debug, Clone)]
pub struct FabOutput {
    /// The exit code, or 128+n after signal n, as in a shell.
    pub code: i32,
    /// The complete stdout.
    pub stdout: String,
    /// The complete stderr.
    pub stderr: String,
    /// The project directory. Removed with this value.
    pub dir: PathBuf,
    pub(super) _keep: Arc<TempDir>,
}
