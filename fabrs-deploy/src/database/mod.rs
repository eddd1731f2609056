//! The database of a site: snapshots, the migration log, and unknown migrations.

pub(crate) mod inspector;
pub(crate) mod migration_log;
pub(crate) mod snapshot;

pub use migration_log::UnknownMigrations;
pub use snapshot::Snapshot;

pub(crate) use inspector::{BuildSource, MigrationInspector, MigrationPlan, ReleaseAge};
pub(crate) use migration_log::MigrationLogEntry;
