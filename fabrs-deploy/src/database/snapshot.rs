//! A copy of the database from before its migrations.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A copy of the database, made before a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The file on the host that ran the migrations.
    pub file: String,
    /// The shell command that restores the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_command: Option<String>,
}

impl Snapshot {
    /// Creates the record of a snapshot in `file`.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), restore_command: None }
    }

    /// Sets the shell command that restores the snapshot. Reports show this command; fabrs never runs it.
    pub fn restore_command(mut self, line: impl Into<String>) -> Self {
        self.restore_command = Some(line.into());
        self
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot: {}", self.file)?;
        match &self.restore_command {
            Some(line) => write!(f, "\nrestore: {line}"),
            None => Ok(()),
        }
    }
}
