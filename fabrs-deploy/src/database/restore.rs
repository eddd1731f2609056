//! [`DatabaseRestoreRequest`]: the restore of a snapshot.

use std::future::IntoFuture;
use std::panic::Location;

use fabrs::{Connection, Error, ErrorKind, Hide, Output, TaskError};
use futures::future::{BoxFuture, FutureExt, TryFutureExt};

use super::host_database::HostDatabase;
use super::mask::DataMask;
use crate::run_id::RunId;

/// A request to restore a snapshot: an awaitable builder, created by [`HostDatabase::restore`].
#[derive(Debug, Clone)]
#[must_use = "nothing is restored until the request is awaited"]
pub struct DatabaseRestoreRequest {
    database: HostDatabase,
    file: String,
    mask: DataMask,
    location: &'static Location<'static>,
}

impl HostDatabase {
    /// Replaces the content of the database with a snapshot. All later changes are lost.
    ///
    /// The snapshot is verified first. Then one atomic change replaces all tables and other
    /// objects. Readers see the old state or the restored state, and a failure keeps the old state:
    ///
    /// - PostgreSQL: one transaction. The user of the URL must own all objects. Installed
    ///   extensions stay, with the rows of their own tables. Privileges and owners are not
    ///   restored. A database with operators, conversions, foreign servers or event triggers has no
    ///   snapshot.
    /// - MariaDB and MySQL: the snapshot is loaded into the database `NAME_fabrs_new`, and one
    ///   statement renames all tables. The user needs the privileges for the databases
    ///   `NAME_fabrs_new` and `NAME_fabrs_old`. A database with views, triggers, routines, events
    ///   or sequences has no snapshot.
    /// - SQLite: the online backup of SQLite, which is one transaction.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Database;
    /// # async fn example(db1: Connection) -> fabrs::Result<()> {
    /// let database = Database::from_env_file(".env", "DATABASE_URL").on(&db1.cd("/srv/shop"));
    /// database.restore("/srv/shop/snapshots/shop-20261202093000.dump").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Exit`] if the snapshot is damaged or incomplete, or if a command fails. The old
    /// content stays. [`ErrorKind::Channel`] if the connection is lost: the restore may have
    /// completed. The errors of [`snapshot`](Self::snapshot).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the restore. The database has the old content or the whole
    /// restored content.
    #[track_caller]
    pub fn restore(&self, file: impl Into<String>) -> DatabaseRestoreRequest {
        let (database, location) = (self.clone(), Location::caller());
        DatabaseRestoreRequest { database, file: file.into(), mask: DataMask::Unchanged, location }
    }
}

impl DatabaseRestoreRequest {
    /// Runs SQL on the restored data before other programs can read it. An error of the SQL keeps
    /// the old content.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Database;
    /// # let db1 = Client::builder().dial(Fake::new()).build().connect("db1")?;
    /// # let database = Database::from_env_file(".env", "DATABASE_URL").on(&db1);
    /// let request = database.restore("shop.dump").mask("UPDATE customer SET phone = ''");
    /// assert!(format!("{request:?}").contains("Sql"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn mask(mut self, sql: impl Into<String>) -> Self {
        self.mask = DataMask::Sql(sql.into());
        self
    }

    /// Sets a function that returns the SQL of [`mask`](Self::mask).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Database;
    /// # let db1 = Client::builder().dial(Fake::new()).build().connect("db1")?;
    /// # let database = Database::from_env_file(".env", "DATABASE_URL").on(&db1);
    /// let request = database.restore("shop.dump").mask_with(|_| async { Ok("TRUNCATE session".to_owned()) });
    /// assert!(format!("{request:?}").contains("Function"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn mask_with<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        self.mask = DataMask::function(function);
        self
    }

    async fn run(self) -> Result<(), Error> {
        let Self { database, file, mask, .. } = self;
        let access = database.access().await?;
        let mask = mask.sql(database.connection()).await.map_err(TaskError::into_error)?;
        let token = restore_token();
        let command = database.command(&access, &[file.clone(), token.clone()], include_str!("scripts/restore.sh"));
        let output = command.stdin(mask).named(format!("restore {file}")).hide(Hide::Stdout).await?;
        check_restored(&output, &token)
    }
}

impl IntoFuture for DatabaseRestoreRequest {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let location = self.location;
        self.run().map_err(move |error| error.at(location)).boxed()
    }
}

/// Returns a random token. The script prints the token after the restore.
pub(super) fn restore_token() -> String {
    format!("restored {}", RunId::new())
}

/// Checks that a restore has printed its token.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the script succeeded without the token.
pub(super) fn check_restored(output: &Output, token: &str) -> Result<(), Error> {
    if output.was_run() && output.line()? != token {
        return Err(Error::new(ErrorKind::Internal, "the restore was not confirmed").on(output.host()));
    }
    Ok(())
}
