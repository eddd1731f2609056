//! [`StatRequest`]: a query for the metadata of a path of a host.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::Result;
use crate::file_backend::backend_selector::BackendSelector;
use crate::files::deferred::{Deferred, impl_future};
use crate::transfer::context::TransferContext;
use crate::transfer::entry::{FileKind, PathStat, Stat};
use crate::transport::Effect;

/// A query for the metadata of a path: an awaitable builder, also run in a dry run.
///
/// # Cancel safety
///
/// Dropping the future ends the query. A query changes nothing.
#[must_use = "nothing is queried until the request is awaited"]
#[derive(Debug)]
pub struct StatRequest<T>(Deferred<StatSpec<T>, T>);

struct StatSpec<T> {
    context: TransferContext,
    path: String,
    convert: fn(PathStat) -> T,
}

impl<T> fmt::Debug for StatSpec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stat {}", self.path)
    }
}

impl<T: Send + 'static> StatRequest<T> {
    fn new(
        connection: Connection,
        path: String,
        location: &'static Location<'static>,
        convert: fn(PathStat) -> T,
    ) -> Self {
        let context = TransferContext::for_read(connection, location);
        Self(Deferred::Described(Box::new(StatSpec { context, path, convert })))
    }

    /// Runs the query as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let query = web.exists("/root/.ssh/authorized_keys").sudo();
    /// assert_eq!(format!("{query:?}"), "StatRequest(stat /root/.ssh/authorized_keys)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(StatRequest<T> => T, stat, T);

async fn stat<T>(spec: Arc<StatSpec<T>>) -> Result<T> {
    let operation = format!("stat {}", spec.path);
    let selector = BackendSelector { context: &spec.context, effect: Effect::Reads, operation: &operation };
    let (path, operation) = (&*spec.path, &*operation);
    selector.run(|backend| async move { backend.stat(path, operation).await }).await.map(spec.convert)
}

impl Connection {
    /// Returns true if a path exists. Returns false for a dangling symlink.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("motd", "hello\n").await?;
    /// assert!(host.exists("motd").await?);
    /// assert!(!host.exists("missing").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if the host can't access the path.
    /// - The errors of a [command](Self::run).
    #[track_caller]
    pub fn exists(&self, path: impl Into<String>) -> StatRequest<bool> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| found.stat.is_some())
    }

    /// Returns true if a path is a directory, or a symlink to a directory.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.ensure_dir("conf").await?;
    /// assert!(host.is_dir("conf").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn is_dir(&self, path: impl Into<String>) -> StatRequest<bool> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| {
            found.stat.is_some_and(|stat| stat.kind == FileKind::Directory)
        })
    }

    /// Returns true if a path is a symlink, dangling or not.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.symlink("releases/1", "current").await?;
    /// assert!(host.is_link("current").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn is_link(&self, path: impl Into<String>) -> StatRequest<bool> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| {
            found.lstat.is_some_and(|stat| stat.kind == FileKind::Symlink)
        })
    }

    /// Returns the metadata of a path, or `None` if the path does not exist. Symlinks are followed.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("motd", "hello\n").await?;
    /// assert_eq!(host.stat("motd").await?.unwrap().size(), 6);
    /// assert!(host.stat("missing").await?.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[doc(alias = "metadata")]
    #[track_caller]
    pub fn stat(&self, path: impl Into<String>) -> StatRequest<Option<Stat>> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| found.stat)
    }
}
