//! [`HostDatabase`]: snapshots of a database on a host.

use std::panic::Location;

use fabrs::{Command, Connection, Error, ErrorKind, Hide};
use futures::future::TryFutureExt;

use super::database::Database;
use super::env_file::{self, EnvFileUrl};
use super::snapshot::{Snapshot, SnapshotContent};
use super::url::DatabaseUrl;
use crate::release::id::ReleaseId;
use crate::remote_script::with_arguments;

/// A database, accessed through one host. Created by [`Database::on`].
#[derive(Debug, Clone)]
pub struct HostDatabase {
    settings: Database,
    connection: Connection,
    /// The paths of the environment file. The first existing file is read.
    env_files: Vec<String>,
    missing: MissingDatabase,
}

/// The treatment of a SQLite file that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingDatabase {
    /// The snapshot fails.
    Reject,
    /// The snapshot is empty: the first migration creates the file.
    Accept,
}

impl MissingDatabase {
    /// Returns the argument of `snapshot.sh`.
    fn argument(self) -> &'static str {
        match self {
            Self::Reject => "existing",
            Self::Accept => "new",
        }
    }
}

/// The access to a database: the parts of its URL, and the directory of the snapshots.
#[derive(Debug, Clone)]
pub(super) struct DatabaseAccess {
    pub(super) url: DatabaseUrl,
    pub(super) directory: String,
}

impl Database {
    /// Returns the database, accessed through a host with the environment file and the client
    /// programs.
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

impl HostDatabase {
    pub(super) fn new(settings: Database, connection: &Connection, env_files: Vec<String>) -> Self {
        // The scripts need a POSIX shell.
        Self { settings, connection: connection.with_shell("sh -c"), env_files, missing: MissingDatabase::Reject }
    }

    /// Sets the treatment of a SQLite file that does not exist.
    pub(super) fn with_missing(self, missing: MissingDatabase) -> Self {
        Self { missing, ..self }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes and verifies a snapshot.
    ///
    /// The snapshot is a compressed file of one consistent state, and the database stays in use.
    /// fabrs reads the whole file back. Its tables and row counts must match the database. For
    /// MariaDB and MySQL, only the table names are compared. A failure leaves no snapshot. After a
    /// success, the oldest snapshots are removed.
    ///
    /// The dump of MariaDB and MySQL is consistent for `InnoDB` tables only, and rounds the values
    /// of `FLOAT` columns to six digits.
    ///
    /// A dry run reads the database URL and plans the snapshot.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Database;
    /// # async fn example(db1: Connection) -> fabrs::Result<()> {
    /// let database = Database::from_env_file(".env", "DATABASE_URL").on(&db1.cd("/srv/shop"));
    /// let snapshot = database.snapshot().await?;
    /// db1.get(&snapshot.file, "backup/").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the environment file has no valid database URL,
    /// [`ErrorKind::Exit`] if a command fails on the host.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the commands and leaves no snapshot.
    #[track_caller]
    pub fn snapshot(&self) -> impl Future<Output = Result<Snapshot, Error>> + Send + use<> {
        let (location, database) = (Location::caller(), self.clone());
        let made = async move {
            let access = database.access().await?;
            let (prefix, keep) = (access.url.file_name(), database.settings.keep);
            database.snapshot_with(&access, &prefix, keep).await
        };
        made.map_err(move |error| error.at(location))
    }

    /// Returns the complete snapshots, the oldest first.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Database;
    /// # async fn example(db1: Connection) -> fabrs::Result<()> {
    /// let database = Database::from_env_file(".env", "DATABASE_URL").on(&db1.cd("/srv/shop"));
    /// if let Some(latest) = database.snapshots().await?.last() {
    ///     database.restore(&latest.file).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the command, which only reads.
    #[track_caller]
    pub fn snapshots(&self) -> impl Future<Output = Result<Vec<Snapshot>, Error>> + Send + use<> {
        let (location, database) = (Location::caller(), self.clone());
        let listed = async move {
            let access = database.access().await?;
            let arguments = [&access.directory, &access.url.file_name()];
            let list = with_arguments(arguments, include_str!("scripts/list.sh"));
            let list = database.connection.probe(list).named("list snapshots").hide(Hide::Both).capture_all();
            Ok(list.lines().await?.into_iter().map(Snapshot::new).collect())
        };
        listed.map_err(move |error: Error| error.at(location))
    }

    /// Connects to the database. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot).
    pub(super) async fn check(&self) -> Result<(), Error> {
        let DatabaseAccess { url, .. } = self.access().await?;
        let label = format!("connect to the database {}", url.name);
        let access = DatabaseAccess { url, directory: String::new() };
        self.command(&access, &[], include_str!("scripts/check.sh")).probe().named(label).await.map(drop)
    }

    /// Reads the database URL.
    pub(super) async fn access(&self) -> Result<DatabaseAccess, Error> {
        let read = env_file::read(&self.connection, &self.env_files, &self.settings.variable);
        let EnvFileUrl { mut url, file } = read.await?;
        let beside = file.rsplit_once('/').map_or("", |(directory, _)| directory);
        url.resolve_file(beside);
        let directory = match self.settings.directory.as_deref() {
            None => format!("{beside}/snapshots"),
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(path) if path.starts_with('~') => {
                let error = Error::new(ErrorKind::Usage, format!("the snapshot directory `{path}` begins with `~`"));
                return Err(error.hint("write an absolute path, or a path relative to the environment file"));
            }
            Some(path) => format!("{beside}/{path}"),
        };
        Ok(DatabaseAccess { url, directory })
    }

    /// Takes a snapshot. In a dry run, the snapshot has a name and no content.
    pub(super) async fn snapshot_with(
        &self,
        access: &DatabaseAccess,
        prefix: &str,
        keep: usize,
    ) -> Result<Snapshot, Error> {
        let time = ReleaseId::after([]);
        let missing = self.missing.argument().to_owned();
        let arguments = [prefix.to_owned(), time.to_string(), keep.to_string(), missing];
        let command = self.command(access, &arguments, include_str!("scripts/snapshot.sh"));
        let output = command.named(format!("take a snapshot of {prefix}")).hide(Hide::Stdout).await?;
        let mut snapshot = Snapshot::new(format!("{}/{prefix}-{time}.dump", access.directory));
        if output.was_run() {
            let line = output.line()?;
            let internal = || Error::new(ErrorKind::Internal, "the snapshot has no size").on(output.host());
            let (content, file) = SnapshotContent::parse(&line).ok_or_else(internal)?;
            snapshot.content = Some(content);
            file.clone_into(&mut snapshot.file);
        }
        Ok(snapshot)
    }

    /// Returns a command with the functions of the engine, the credentials and the arguments.
    pub(super) fn command(&self, access: &DatabaseAccess, arguments: &[String], script: &str) -> Command {
        let DatabaseUrl { engine, name, variables, credentials, .. } = &access.url;
        let arguments = [&[name.clone(), access.directory.clone()], arguments].concat();
        let command = self.connection.run(with_arguments(arguments, &engine.script(script)));
        let command = command.env("FABRS_DATABASE_CREDENTIALS", credentials);
        variables.iter().fold(command, |command, (name, value)| command.env(*name, value))
    }
}
