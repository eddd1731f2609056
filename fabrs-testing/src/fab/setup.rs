//! What a run needs until its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::checks::Check;

/// What the program finds as its stdin.
#[derive(Debug, Clone)]
pub(super) enum Stdin {
    /// The end of input at once.
    Null,
    /// These bytes, then the end of input.
    Bytes(Vec<u8>),
    /// A pipe into which nobody writes.
    Open,
    /// No descriptor 0 at all, as some service managers have it.
    Closed,
}

/// The part of a run's setup that is needed until its end.
#[derive(Debug)]
pub(super) struct RunSetup {
    pub(super) checks: Vec<Check>,
    pub(super) dir: Arc<TempDir>,
    pub(super) limit: Duration,
    pub(super) stdin: Stdin,
}

impl RunSetup {
    /// Returns the directory of the project.
    pub(super) fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }
}
