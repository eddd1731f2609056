//! The migration log of a host, and the migrations unknown to a release.

use std::collections::HashSet;
use std::fmt;
use std::time::SystemTime;

use fabrs::Client;
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::release::id::ReleaseId;
use crate::run_id::Operator;

/// An entry of the migration log on a host. A deploy writes the entry before it migrates, so a
/// killed run also leaves a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MigrationLogEntry {
    release: ReleaseId,
    by: Operator,
    at: String,
    migrations: Vec<String>,
    snapshot: Option<Snapshot>,
}

impl MigrationLogEntry {
    pub(crate) fn new(release: &ReleaseId, migrations: Vec<String>, snapshot: Option<Snapshot>) -> Self {
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { release: release.clone(), by: Operator::current(), at, migrations, snapshot }
    }

    /// Returns the start time in RFC 3339, UTC. The order of these strings is the order of the
    /// times.
    pub(crate) fn started_at(&self) -> &str {
        &self.at
    }

    /// Returns the latest snapshot older than all of `migrations`. For a migration that ran several
    /// times, the last run counts.
    pub(crate) fn snapshot_before<'a>(log: &'a [Self], migrations: &[String]) -> Option<&'a Snapshot> {
        let last_run = |migration| log.iter().rposition(|entry| entry.migrations.contains(migration));
        log.get(migrations.iter().filter_map(last_run).min()?)?.snapshot.as_ref()
    }
}

/// The migrations in the database that are unknown to the live release.
///
/// A failed or reverted deploy can leave such migrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnknownMigrations {
    /// The live release.
    pub release: ReleaseId,
    /// The full names of the migrations, such as `orders.0007_seat`.
    pub migrations: Vec<String>,
    /// The snapshot made before the first of these migrations.
    pub snapshot: Option<Snapshot>,
}

impl UnknownMigrations {
    /// Returns the unknown migrations of a release, except for the migrations accepted when the
    /// release went live. Returns `None` if no migration remains.
    pub(crate) fn of(
        release: &ReleaseId,
        unknown: Vec<String>,
        accepted: &HashSet<&str>,
        log: &[MigrationLogEntry],
    ) -> Option<Self> {
        let migrations: Vec<String> =
            unknown.into_iter().filter(|migration| !accepted.contains(migration.as_str())).collect();
        if migrations.is_empty() {
            return None;
        }
        let snapshot = MigrationLogEntry::snapshot_before(log, &migrations).cloned();
        Some(Self { release: release.clone(), migrations, snapshot })
    }

    /// Masks the secrets of the run in the snapshot: a restore command may contain a password.
    pub(crate) fn redacted(mut self, client: &Client) -> Self {
        if let Some(Snapshot { file, restore_command, .. }) = &mut self.snapshot {
            *file = client.redact(file);
            *restore_command = restore_command.as_ref().map(|line| client.redact(line));
        }
        self
    }
}

impl fmt::Display for UnknownMigrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, migrations, snapshot } = self;
        write!(f, "the database has migrations unknown to {release}: {}", migrations.join(", "))?;
        match snapshot {
            Some(snapshot) => write!(f, "\n{snapshot}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshot_is_older_than_all_of_the_migrations() {
        let id = |last: u32| format!("202611031402{last:02}").parse().unwrap();
        let entry = |last, migrations: &[&str], file: &str| {
            let migrations = migrations.iter().map(ToString::to_string).collect();
            MigrationLogEntry::new(&id(last), migrations, Some(Snapshot::new(file)))
        };
        let log = [entry(1, &["a.1"], "one"), entry(2, &["a.2"], "two"), entry(3, &["a.3"], "three")];
        let before = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            MigrationLogEntry::snapshot_before(&log, &names).map(|snapshot| snapshot.file.as_str())
        };
        assert_eq!(before(&["a.3", "a.2"]), Some("two"));
        assert_eq!(before(&["a.3"]), Some("three"));
        assert_eq!(before(&["b.1"]), None);
    }

    #[test]
    fn accepted_migrations_are_not_reported_again() {
        let id: ReleaseId = "20261103140211".parse().unwrap();
        let unknown = || vec!["gone.0001".to_owned(), "shop.0003_seat".to_owned()];
        let accepted = HashSet::from(["gone.0001"]);
        let unknown_migrations = UnknownMigrations::of(&id, unknown(), &accepted, &[]).unwrap();
        assert_eq!(
            unknown_migrations.to_string(),
            "the database has migrations unknown to 20261103140211: shop.0003_seat"
        );
        assert_eq!(UnknownMigrations::of(&id, vec!["gone.0001".to_owned()], &accepted, &[]), None);
    }
}
