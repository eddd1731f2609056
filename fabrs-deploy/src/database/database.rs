//! [`Database`]: the database of an application, found by its environment file.

use fabrs::{Connection, TaskError};

use super::host_database::HostDatabase;
use crate::step::{App, DeployStep, StepFuture};

/// The database of an application: PostgreSQL, MariaDB, MySQL or SQLite.
///
/// The database URL is a variable in an environment file of a host. The password never leaves the
/// memory of this program, except to a temporary file of the host (mode 0600). Client programs of
/// the database must be installed on the host: `pg_dump`, `pg_restore` and `psql`, or
/// `mariadb-dump` and `mariadb`, or `sqlite3`.
///
/// As a step, the database makes a snapshot:
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Database, Django, Site};
///
/// fn database() -> Database {
///     Database::from_env_file(".env", "DATABASE_URL").keep(10).restore_task("restore")
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
    restore_task: Option<String>,
}

/// The default number of snapshots kept.
const KEPT_SNAPSHOTS: usize = 5;

impl Database {
    /// Creates the description of a database from a variable with the URL.
    ///
    /// A relative path of the file is resolved against the directory of the connection, or of the
    /// release in a deploy. If the release does not exist yet, `shared` and the root of the site
    /// are searched.
    ///
    /// | URL | database |
    /// |---|---|
    /// | `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=require` | PostgreSQL 12 or later |
    /// | `postgres:///NAME`, `postgres://%2Frun%2Fpostgresql/NAME` | PostgreSQL on a socket |
    /// | `mariadb://USER:PASSWORD@HOST/NAME`, `mysql://..` | MariaDB or MySQL |
    /// | `sqlite:////absolute/path` | SQLite |
    /// | `sqlite:///path` | SQLite, relative to the directory of the environment file, after symbolic links |
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

    /// Sets the directory of the snapshots. Defaults to `snapshots` beside the environment file,
    /// after symbolic links: `shared/snapshots` for a linked file of a site.
    ///
    /// ```
    /// # use fabrs_deploy::Database;
    /// let database = Database::from_env_file(".env", "DATABASE_URL").directory("/backup/shop");
    /// assert!(format!("{database:?}").contains("/backup/shop"));
    /// ```
    pub fn directory(mut self, path: impl Into<String>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Sets the number of snapshots kept. Defaults to 5. The minimum is 1.
    ///
    /// ```
    /// # use fabrs_deploy::Database;
    /// let database = Database::from_env_file(".env", "DATABASE_URL").keep(20);
    /// assert!(format!("{database:?}").contains("keep: 20"));
    /// ```
    pub fn keep(mut self, snapshots: usize) -> Self {
        self.keep = snapshots.max(1);
        self
    }

    /// Sets the name of your task that restores a snapshot. After a failed deploy, the output, the
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

    /// Returns the command that restores a snapshot.
    fn restore_command(&self, connection: &Connection, file: &str) -> Option<String> {
        let (task, client) = (self.restore_task.clone()?, connection.client()?);
        let mut words = vec!["fab".to_owned()];
        words.extend(client.inventory().environment().map(|environment| environment.name().to_owned()));
        words.extend(["-H".to_owned(), connection.host()?.to_string(), task, file.to_owned()]);
        shlex::try_join(words.iter().map(String::as_str)).ok()
    }

    /// Returns the database as seen from a host with the environment file and the client programs.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Database;
    /// # let db1 = Client::builder().dial(Fake::new()).build().connect("db1")?;
    /// let database = Database::from_env_file(".env", "DATABASE_URL").on(&db1.cd("/srv/shop"));
    /// assert!(format!("{database:?}").contains("db1"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn on(&self, connection: &Connection) -> HostDatabase {
        HostDatabase::new(self.clone(), connection, vec![self.env_file.clone()])
    }
}

impl Database {
    /// Returns the database of a release, with its linked environment file.
    fn of_app(&self, app: &App) -> HostDatabase {
        let (root, release_dir, file) = (app.root(), app.release_dir(), &self.env_file);
        let files = [release_dir, &format!("{root}/shared"), root].map(|directory| format!("{directory}/{file}"));
        let files = if file.starts_with('/') { vec![file.clone()] } else { files.to_vec() };
        // The directory of the release may not exist yet.
        HostDatabase::new(self.clone(), &app.host().cd(root), files)
    }
}

impl DeployStep for Database {
    fn run(&self, app: App) -> StepFuture {
        let (settings, database) = (self.clone(), self.of_app(&app));
        Box::pin(async move {
            let mut snapshot = database.snapshot().await?;
            snapshot.restore_command = settings.restore_command(app.connection(), &snapshot.file);
            app.record_snapshot(snapshot);
            Ok::<(), TaskError>(())
        })
    }

    fn check_ready(&self, app: App) -> StepFuture {
        let database = self.of_app(&app);
        Box::pin(async move { Ok(database.check().await?) })
    }
}
