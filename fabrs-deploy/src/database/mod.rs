//! The database of a site: snapshots, restores and copies, the migration log, and unknown
//! migrations.

mod archive;
mod copy;
mod database;
mod engine;
mod env_file;
mod host_database;
pub(crate) mod inspector;
mod mask;
pub(crate) mod migration_log;
mod restore;
pub(crate) mod snapshot;
mod snapshot_step;
mod url;

pub use copy::DatabaseCopyRequest;
pub use database::Database;
pub use host_database::HostDatabase;
pub use migration_log::UnknownMigrations;
pub use restore::DatabaseRestoreRequest;
pub use snapshot::{Snapshot, SnapshotContent};

pub(crate) use inspector::{BuildSource, MigrationInspector, MigrationPlan, ReleaseAge};
pub(crate) use migration_log::MigrationLogEntry;
