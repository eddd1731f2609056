//! What the host says of requirement files.

use fabrs::{Error, ErrorKind, Output};

/// What there is to know of the requirements of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirements {
    /// The same for the same files and the same Python.
    pub(super) key: String,
    /// What is not pinned to one version.
    pub(super) unpinned: Vec<String>,
}

impl Requirements {
    /// Reads what the script has said.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] where it has not come to its end.
    pub(super) fn read(said: &Output) -> Result<Self, Error> {
        let lines = said.lines()?;
        let unpinned = lines.iter().filter_map(|line| line.strip_prefix("unpinned ")).map(str::to_owned).collect();
        let key = lines.iter().find_map(|line| line.strip_prefix("key "));
        match key {
            Some(key) => Ok(Self { key: key.to_owned(), unpinned }),
            None => Err(Error::new(ErrorKind::Task, "could not read the requirements").on(said.host())),
        }
    }

    /// Returns what stands in a plan for what nobody knows yet.
    pub(super) fn planned() -> Self {
        Self { key: "KEY-OF-THE-REQUIREMENTS".to_owned(), unpinned: Vec::new() }
    }
}
