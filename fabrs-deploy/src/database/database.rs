//! [`Database`]: the database of an application, with its URL in an environment file.

/// The database of an application: PostgreSQL, MariaDB, MySQL or SQLite.
///
/// fabrs reads the database URL from an environment file on a host. It writes the password only to
/// a temporary file on the same host (mode 0600). Client programs of the database must be installed
/// on the host: `pg_dump`, `pg_restore` and `psql`, or `mariadb-dump` and `mariadb`, or `sqlite3`.
///
/// Pass the database to [`Django::snapshot`](crate::Django::snapshot) to take a snapshot before
/// migrations:
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Database, Django, Site};
///
/// fn database() -> Database {
///     Database::from_env_file(".env", "DATABASE_URL").keep_snapshots(10).restore_task("restore")
/// }
///
/// fn shop() -> Site {
///     Site::new("/srv/shop").linked_files([".env"]).with(Django::new().snapshot(database()))
/// }
///
/// /// Restores a snapshot.
/// #[task(role = "db")]
/// async fn restore(c: Connection, file: String) -> Result {
///     database().on(&c.cd("/srv/shop/current")).restore(file).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Database {
    pub(super) env_file: String,
    pub(super) variable: String,
    pub(super) directory: Option<String>,
    pub(super) keep: usize,
    pub(super) restore_task: Option<String>,
}

/// The default number of snapshots kept.
const KEPT_SNAPSHOTS: usize = 5;

impl Database {
    /// Creates a database from the URL in `variable` of the environment file `path`.
    ///
    /// A relative `path` is resolved against the directory of the connection. In a deploy, fabrs
    /// searches the directory of the release, `shared`, and the root of the site.
    ///
    /// | URL | database |
    /// |---|---|
    /// | `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=require` | PostgreSQL 12 or later |
    /// | `postgres:///NAME`, `postgres://%2Frun%2Fpostgresql/NAME` | PostgreSQL on a socket |
    /// | `mariadb://USER:PASSWORD@HOST/NAME`, `mysql://..` | MariaDB or MySQL |
    /// | `sqlite:////absolute/path` | SQLite |
    /// | `sqlite:///path` | SQLite, relative to the environment file, with symlinks resolved |
    ///
    /// ```
    /// # use fabrs_deploy::Database;
    /// let database = Database::from_env_file(".env", "DATABASE_URL");
    /// assert!(format!("{database:?}").contains("DATABASE_URL"));
    /// ```
    pub fn from_env_file(path: impl Into<String>, variable: impl Into<String>) -> Self {
        Self {
            env_file: path.into(),
            variable: variable.into(),
            directory: None,
            keep: KEPT_SNAPSHOTS,
            restore_task: None,
        }
    }

    /// Sets the snapshot directory, relative to the environment file with symlinks resolved.
    /// Defaults to `snapshots`: `shared/snapshots` for a linked file of a site.
    ///
    /// ```
    /// # use fabrs_deploy::Database;
    /// let database = Database::from_env_file(".env", "DATABASE_URL").snapshot_dir("/backup/shop");
    /// assert!(format!("{database:?}").contains("/backup/shop"));
    /// ```
    pub fn snapshot_dir(mut self, path: impl Into<String>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Sets the number of snapshots kept. Defaults to 5. The minimum is 1.
    ///
    /// ```
    /// # use fabrs_deploy::Database;
    /// let database = Database::from_env_file(".env", "DATABASE_URL").keep_snapshots(20);
    /// assert!(format!("{database:?}").contains("keep: 20"));
    /// ```
    pub fn keep_snapshots(mut self, snapshots: usize) -> Self {
        self.keep = snapshots.max(1);
        self
    }

    /// Sets the name of the task that restores a snapshot. After a failed deploy, the output, the
    /// mail and `status` show the command `fab ENVIRONMENT -H HOST TASK FILE`.
    ///
    /// ```
    /// # use fabrs_deploy::Database;
    /// let database = Database::from_env_file(".env", "DATABASE_URL").restore_task("restore");
    /// assert!(format!("{database:?}").contains("restore"));
    /// ```
    pub fn restore_task(mut self, name: impl Into<String>) -> Self {
        self.restore_task = Some(name.into());
        self
    }
}
