//! Database snapshots: the file, its content, and the command that restores it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A database snapshot on a host: its file, its content, and the command that restores it.
///
/// A closure that takes a snapshot before migrations passes this value to
/// [`App::record_snapshot`](crate::App::record_snapshot). If a deploy fails after its migrations,
/// the output, the mail and `status` show the snapshot and the restore command.
///
/// ```
/// use fabrs_deploy::Snapshot;
///
/// let snapshot = Snapshot::new("/srv/before.dump").restore_command("pg_restore before.dump");
/// let text = "snapshot: /srv/before.dump\nrestore: pg_restore before.dump";
/// assert_eq!(snapshot.to_string(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The path of the file on the host.
    pub file: String,
    /// The command that restores the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_command: Option<String>,
    /// The verified content, for a snapshot of [`HostDatabase`](crate::HostDatabase).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<SnapshotContent>,
}

/// The verified content of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SnapshotContent {
    /// The number of tables.
    pub tables: u64,
    /// The number of rows of all tables.
    pub rows: u64,
    /// The size of the compressed file in bytes.
    pub bytes: u64,
}

impl SnapshotContent {
    /// Parses the three numbers and the path printed by `snapshot.sh`.
    pub(super) fn parse(line: &str) -> Option<(Self, &str)> {
        let (tables, rest) = line.split_once(' ')?;
        let (rows, rest) = rest.split_once(' ')?;
        let (bytes, file) = rest.split_once(' ')?;
        Some((Self { tables: tables.parse().ok()?, rows: rows.parse().ok()?, bytes: bytes.parse().ok()? }, file))
    }
}

impl fmt::Display for SnapshotContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tables, rows, bytes } = self;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        write!(f, "{tables} table{}, {rows} row{}, {bytes} bytes", plural(*tables), plural(*rows))
    }
}

impl Snapshot {
    /// Creates the record of a snapshot in `file`.
    ///
    /// ```
    /// # use fabrs_deploy::Snapshot;
    /// assert_eq!(Snapshot::new("/srv/shop/before.dump").file, "/srv/shop/before.dump");
    /// ```
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), restore_command: None, content: None }
    }

    /// Sets the command that restores the snapshot. fabrs shows this command and never runs
    /// it.
    ///
    /// ```
    /// # use fabrs_deploy::Snapshot;
    /// let snapshot = Snapshot::new("before.dump").restore_command("pg_restore before.dump");
    /// assert_eq!(snapshot.restore_command.as_deref(), Some("pg_restore before.dump"));
    /// ```
    pub fn restore_command(mut self, line: impl Into<String>) -> Self {
        self.restore_command = Some(line.into());
        self
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot: {}", self.file)?;
        if let Some(content) = &self.content {
            write!(f, " ({content})")?;
        }
        match &self.restore_command {
            Some(line) => write!(f, "\nrestore: {line}"),
            None => Ok(()),
        }
    }
}
