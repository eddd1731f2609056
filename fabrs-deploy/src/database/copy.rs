//! [`DatabaseCopyRequest`]: the copy of a database to another environment.

use std::future::IntoFuture;
use std::panic::Location;

use fabrs::{Connection, Error, ErrorKind, Hide, TaskError, cmd};
use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::archive;
use super::host_database::{DatabaseAccess, HostDatabase};
use super::mask::DataMask;
use super::restore::{check_restored, restore_token};
use super::snapshot::Snapshot;
use crate::remote_script::with_arguments;

/// A request to copy a database: an awaitable builder, created by [`HostDatabase::copy_from`]. The
/// output is the snapshot of the source.
#[derive(Debug, Clone)]
#[must_use = "nothing is copied until the request is awaited"]
pub struct DatabaseCopyRequest {
    source: HostDatabase,
    target: HostDatabase,
    mask: DataMask,
    location: &'static Location<'static>,
}

/// The bytes read by one command on the source. Memory holds two chunks at most.
const CHUNK_SIZE: u64 = 8 << 20;

/// The transferred parts of a snapshot.
struct SnapshotFile {
    path: String,
    size: u64,
    sha256: String,
    rows: String,
}

impl HostDatabase {
    /// Replaces this database with a snapshot of `source`, for example staging with production.
    ///
    /// fabrs takes a snapshot of the source, streams the file through this program to the target,
    /// and restores it like [`restore`](Self::restore). The mask changes personal data before the
    /// tables of the target are replaced. The target host keeps no file with unmasked data. Only a
    /// `kill -9` or a crash of the host leaves a directory `.fabrs-work`, with mode 0700.
    ///
    /// MariaDB and MySQL load the data into the database `NAME_fabrs_new` before the mask. The user
    /// of the target can read this database.
    ///
    /// A protected target is an error: the environment of the run is protected, or a protected
    /// environment of `fabrs.toml` lists a host with the name of the target. The addresses of
    /// database servers are not compared.
    ///
    /// ```no_run
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Database;
    ///
    /// const MASK: &str = "UPDATE customer SET email = '', phone = ''";
    ///
    /// /// Copies the database of production to staging.
    /// #[task(role = "db")]
    /// async fn copy_production(c: Connection) -> Result {
    ///     let database = Database::from_env_file("/srv/shop/shared/.env", "DATABASE_URL");
    ///     let production = Connection::to("db1.example.com")?;
    ///     database.on(&c).copy_from(&database.on(&production)).mask(MASK).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] without a mask or
    ///   [`without_mask`](DatabaseCopyRequest::without_mask), for a protected target, for equal
    ///   databases, and for different database systems.
    /// - The errors of [`snapshot`](Self::snapshot), [`restore`](Self::restore) and the mask
    ///   function.
    ///
    /// After every error, the target has its old content.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the copy. The target has the old content or the whole masked copy.
    #[track_caller]
    pub fn copy_from(&self, source: &Self) -> DatabaseCopyRequest {
        let (target, source, location) = (self.clone(), source.clone(), Location::caller());
        DatabaseCopyRequest { source, target, mask: DataMask::Undecided, location }
    }
}

impl DatabaseCopyRequest {
    /// Sets SQL that changes personal data of the copy. An error of the SQL keeps the old content
    /// of the target.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Database;
    /// # let client = Client::builder().dial(Fake::new()).build();
    /// # let (staging, production) = (client.connect("staging")?, client.connect("db1")?);
    /// # let database = Database::from_env_file(".env", "DATABASE_URL");
    /// let request = database.on(&staging).copy_from(&database.on(&production)).mask("TRUNCATE session");
    /// assert!(format!("{request:?}").contains("Sql"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn mask(mut self, sql: impl Into<String>) -> Self {
        self.mask = DataMask::Sql(sql.into());
        self
    }

    /// Sets a function that returns the SQL of [`mask`](Self::mask). The function receives the
    /// connection of the target.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Database;
    /// # let client = Client::builder().dial(Fake::new()).build();
    /// # let (staging, production) = (client.connect("staging")?, client.connect("db1")?);
    /// # let database = Database::from_env_file(".env", "DATABASE_URL");
    /// let copy = database.on(&staging).copy_from(&database.on(&production));
    /// let request = copy.mask_with(|_| async { Ok(std::fs::read_to_string("mask.sql")?) });
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

    /// Copies the data unchanged. Everyone with access to the target can then read the data of the
    /// source.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Database;
    /// # let client = Client::builder().dial(Fake::new()).build();
    /// # let (staging, production) = (client.connect("staging")?, client.connect("db1")?);
    /// # let database = Database::from_env_file(".env", "DATABASE_URL");
    /// let request = database.on(&staging).copy_from(&database.on(&production)).without_mask();
    /// assert!(format!("{request:?}").contains("Unchanged"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn without_mask(mut self) -> Self {
        self.mask = DataMask::Unchanged;
        self
    }

    async fn run(self) -> Result<Snapshot, Error> {
        let Self { source, target, mask, .. } = self;
        check_is_unprotected(target.connection())?;
        if matches!(mask, DataMask::Undecided) {
            let error = Error::new(ErrorKind::Usage, "the copy has no mask for personal data");
            return Err(error.hint("add `.mask(SQL)`, or `.without_mask()`"));
        }
        let (from, to) = (source.access().await?, target.access().await?);
        check_differ(&source, &from, &target, &to)?;
        let mask = mask.sql(target.connection()).await.map_err(TaskError::into_error)?;
        // A copy must not displace snapshots that were taken before migrations.
        let snapshot = source.snapshot_with(&from, &format!("{}-copy", from.url.file_name()), 1).await?;
        let token = restore_token();
        let from_host = source.connection().host().map(ToString::to_string).unwrap_or_default();
        let label = format!("restore {} from {from_host}", snapshot.file);
        let script = include_str!("scripts/copy.sh");
        if snapshot.content.is_none() {
            // A dry run has no snapshot to describe.
            target.command(&to, &[], script).named(label).await?;
            return Ok(snapshot);
        }
        let file = describe(source.connection(), &snapshot).await?;
        let (reader, writer) = tokio::io::duplex(usize::try_from(CHUNK_SIZE).unwrap_or(usize::MAX));
        let restored = target
            .command(&to, &[file.sha256.clone(), token.clone()], script)
            .stdin_reader(reader)
            .named(label)
            .hide(Hide::Stdout);
        // Dropping the writer after an error ends the input, and the target rejects the transfer.
        let restored = IntoFuture::into_future(restored);
        let (sent, restored) = tokio::join!(send(source.connection(), &file, &mask, writer), restored);
        sent?;
        check_restored(&restored?, &token)?;
        Ok(snapshot)
    }
}

impl IntoFuture for DatabaseCopyRequest {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let location = self.location;
        self.run().map_err(move |error| error.at(location)).boxed()
    }
}

/// Checks that the target belongs to no protected environment.
fn check_is_unprotected(target: &Connection) -> Result<(), Error> {
    let (Some(client), Some(host)) = (target.client(), target.host()) else { return Ok(()) };
    match client.inventory().protected_environment_for(host) {
        Some(name) => {
            let text = format!("a database cannot be copied into the protected environment `{name}`");
            Err(Error::new(ErrorKind::Usage, text)
                .on(host)
                .hint("run `fab ENVIRONMENT TASK` with an environment that is not protected"))
        }
        None => Ok(()),
    }
}

/// Checks that the source and the target are two databases of one system.
fn check_differ(
    source: &HostDatabase,
    from: &DatabaseAccess,
    target: &HostDatabase,
    to: &DatabaseAccess,
) -> Result<(), Error> {
    if from.url.engine != to.url.engine {
        let text = format!("cannot copy a {} database to {}", from.url.engine, to.url.engine);
        return Err(Error::new(ErrorKind::Usage, text).hint("use the same database system on both hosts"));
    }
    let is_one_host = source.connection().host() == target.connection().host();
    if from.url.is_same_database(&to.url, is_one_host) {
        let text = format!("the source and the target are the same database `{}`", to.url.name);
        return Err(Error::new(ErrorKind::Usage, text).hint("check the database URL of the target"));
    }
    Ok(())
}

/// Reads the size, checksum and rows of a snapshot.
async fn describe(host: &Connection, snapshot: &Snapshot) -> Result<SnapshotFile, Error> {
    let path = &snapshot.file;
    let script = with_arguments([path], include_str!("scripts/describe.sh"));
    let output =
        host.probe(script).named(format!("read the checksum of {path}")).hide(Hide::Both).capture_all().await?;
    let text = output.stdout()?;
    let parsed = text.split_once('\n').and_then(|(size, rest)| {
        let (sha256, rows) = rest.split_once('\n')?;
        let (size, sha256) = (size.trim().parse().ok()?, sha256.split_whitespace().next()?.to_owned());
        Some(SnapshotFile { path: path.clone(), size, sha256, rows: rows.to_owned() })
    });
    parsed.ok_or_else(|| Error::new(ErrorKind::Internal, "the snapshot has no checksum").on(output.host()))
}

/// Writes the archive for `copy.sh`: the mask, the rows and the chunks of the snapshot.
///
/// # Errors
///
/// The error of a command on the source. A closed reader is no error: the target reports the
/// reason.
async fn send(source: &Connection, file: &SnapshotFile, mask: &str, mut writer: DuplexStream) -> Result<(), Error> {
    let SnapshotFile { path, size, rows, .. } = file;
    let before = [archive::file("mask.sql", mask)?, archive::file("dump.rows", rows)?, archive::header("dump", *size)?];
    if writer.write_all(&before.concat()).await.is_err() {
        return Ok(());
    }
    let chunks = size.div_ceil(CHUNK_SIZE);
    for chunk in 0..chunks {
        let line = cmd!("dd if={path} bs={CHUNK_SIZE} skip={chunk} count=1 2>/dev/null");
        let label = format!("read {path} (chunk {} of {chunks})", chunk + 1);
        let read = source.probe(line).named(label).hide(Hide::Both).capture_all().await?;
        if writer.write_all(read.stdout_bytes()?).await.is_err() {
            return Ok(());
        }
    }
    let after = [archive::padding(*size), archive::end()].concat();
    // The target reports an incomplete archive.
    let _is_closed = writer.write_all(&after).await.is_err();
    Ok(())
}
