//! [`CreateRequest`]: creates a directory or a symlink on a host.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::TryFutureExt;

use crate::connection::Connection;
use crate::error::Result;
use crate::file_backend::backend_selector::BackendSelector;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::planning;
use crate::files::planning::Side;
use crate::transfer::context::TransferContext;
use crate::transfer::job::{Attributes, Job, ReplacePolicy, WriteOptions, check_mode};
use crate::transfer::report::emit_transferred;
use crate::transfer::walk::{Item, ItemKind};
use crate::transport::Effect;

/// The creation of a directory or a symlink: an awaitable builder. The output is
/// [`Changes`].
///
/// # Cancel safety
///
/// Dropping the future ends the creation. A symlink then has the old or the new target. Of several
/// directories, only some may exist.
#[must_use = "nothing is created until the request is awaited"]
#[derive(Debug)]
pub struct CreateRequest(Deferred<CreateSpec, Changes>);

struct CreateSpec {
    context: TransferContext,
    path: String,
    content: ItemKind,
    attributes: Attributes,
}

impl fmt::Debug for CreateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl CreateRequest {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, content: ItemKind) -> Self {
        let context = TransferContext::for_transfer(connection, location);
        Self(Deferred::Described(Box::new(CreateSpec { context, path, content, attributes: Attributes::default() })))
    }

    /// Sets the mode of a directory, also of an existing one. The default for a new directory is
    /// `0755`. A symlink has no mode.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.ensure_dir("private").mode(0o700).await?;
    /// assert_eq!(host.stat("private").await?.unwrap().mode(), 0o700);
    /// # Ok(()) }
    /// ```
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.configure(|spec| spec.attributes.mode = Some(mode)))
    }

    /// Sets the owner, by name or number. Most hosts allow this for root only.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let create = web.ensure_dir("/srv/shop").owner("shop").sudo();
    /// assert_eq!(format!("{create:?}"), "CreateRequest(create the directory /srv/shop by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.owner = Some(Arc::from(user.into()))))
    }

    /// Sets the group, by name or number.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let create = web.ensure_dir("/srv/shop").group("www-data").sudo();
    /// assert_eq!(format!("{create:?}"), "CreateRequest(create the directory /srv/shop by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.group = Some(Arc::from(group.into()))))
    }

    /// Creates the entry as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let create = web.symlink("/opt/java-21", "/opt/java").sudo();
    /// assert_eq!(format!("{create:?}"), "CreateRequest(link /opt/java -> /opt/java-21 by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(CreateRequest => Changes, make);

async fn make(spec: Arc<CreateSpec>) -> Result<Changes> {
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let operation = spec.describe();
    check_mode(spec.attributes.mode).map_err(|error| context.error(error))?;
    let job = &spec.job(&operation);
    if planning::is_planned(context) {
        let selector = BackendSelector { context, effect: Effect::Reads, operation: &operation };
        let compared = selector.run(|backend| async move { backend.plan(job).await });
        let state =
            planning::plan(context, Side::Host, &operation, compared.map_ok(|written| vec![written].into())).await?;
        return Ok(Changes::new(context, host.clone(), operation, state));
    }
    let selector = BackendSelector { context, effect: Effect::Changes, operation: &operation };
    let files = vec![selector.run(|backend| async move { backend.put(job).await }).await?];
    emit_transferred(connection, host, &operation, &files, 0);
    Ok(Changes::new(context, host.clone(), operation.clone(), files))
}

impl CreateSpec {
    fn job(&self, operation: &str) -> Job {
        let item = Item { content: self.content.clone(), below: Some(PathBuf::from(&self.path)) };
        let (target, attributes) = (self.path.clone().into(), self.attributes.clone());
        // Only a symlink is replaced. Replacing another file could destroy the only copy of its
        // content.
        let write_options = Arc::new(WriteOptions { replaces: ReplacePolicy::Link, ..WriteOptions::default() });
        Job { item, fingerprint: None, target, attributes, write_options, description: Some(operation.into()) }
    }

    fn describe(&self) -> String {
        let suffix = self.context.sudo_suffix();
        match &self.content {
            ItemKind::Link(to) => format!("link {} -> {}{suffix}", self.path, to.display()),
            _ => format!("create the directory {}{suffix}", self.path),
        }
    }
}

impl Connection {
    /// Ensures that a directory exists, with its parent directories (`mkdir -p`).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// assert!(host.ensure_dir("a/b").await?.any()?);
    /// assert!(!host.ensure_dir("a/b").await?.any()?, "the directory exists");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if the path exists and is not a directory, or the
    ///   directory can't be created.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "mkdir")]
    #[track_caller]
    pub fn ensure_dir(&self, path: impl Into<String>) -> CreateRequest {
        CreateRequest::new(self.clone(), path.into(), Location::caller(), ItemKind::Directory)
    }

    /// Ensures that a symlink at `path` points to `to` (`ln -sfn`). The target `to` need not exist.
    ///
    /// An existing symlink is replaced atomically: readers follow the old symlink or the new one.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.ensure_dir("releases/2").await?;
    /// host.symlink("releases/2", "current").await?;
    /// assert!(host.is_dir("current").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if the path exists and is not a symlink, or the symlink
    ///   can't be created.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "ln")]
    #[track_caller]
    pub fn symlink(&self, to: impl Into<PathBuf>, path: impl Into<String>) -> CreateRequest {
        CreateRequest::new(self.clone(), path.into(), Location::caller(), ItemKind::Link(to.into()))
    }
}
