//! Settings needed until the end of a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::expectations::Expectation;

/// The stdin of the program.
#[derive(Debug, Clone)]
pub(super) enum Stdin {
    /// `/dev/null`.
    Null,
    /// A pipe with this content.
    Bytes(Vec<u8>),
    /// An open pipe without data.
    Open,
    /// No descriptor 0, as under some service managers.
    Closed,
}

/// The settings needed until the end of a run.
#[derive(Debug)]
pub(super) struct RunSetup {
    pub(super) expectations: Vec<Expectation>,
    pub(super) dir: Arc<TempDir>,
    pub(super) limit: Duration,
    pub(super) stdin: Stdin,
}

impl RunSetup {
    /// Returns the project directory.
    pub(super) fn project_dir(&self) -> PathBuf {
        self.dir.path().join("project")
    }
}
