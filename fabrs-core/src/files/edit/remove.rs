//! [`RemoveRequest`]: removes a file or a directory of a host.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::file_backend::backend_selector::BackendSelector;
use crate::files::changes::ChangedPaths;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::planning;
use crate::files::planning::Side;
use crate::transfer::context::TransferContext;
use crate::transfer::entry::FileKind;
use crate::transfer::file_error::{IS_A_DIRECTORY, is_a_directory};
use crate::transfer::report::emit_transferred;
use crate::transport::Effect;

/// The removal of a file or a directory: an awaitable builder. The output is [`Changes`].
///
/// # Cancel safety
///
/// Dropping the future ends the removal. Some entries of a directory may already be removed.
#[must_use = "nothing is removed until the request is awaited"]
#[derive(Debug)]
pub struct RemoveRequest(Deferred<RemoveSpec, Changes>);

struct RemoveSpec {
    context: TransferContext,
    path: String,
    is_recursive: bool,
}

impl fmt::Debug for RemoveSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl RemoveRequest {
    fn new(connection: Connection, path: String, location: &'static Location<'static>) -> Self {
        let context = TransferContext::for_transfer(connection, location);
        Self(Deferred::Described(Box::new(RemoveSpec { context, path, is_recursive: false })))
    }

    /// Removes a directory with all entries (`rm -r`). By default, a directory is an error.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.ensure_dir("old/cache").await?;
    /// assert!(host.remove("old").await.is_err());
    /// assert_eq!(host.remove("old").recursive().await?.removed()?, ["old"]);
    /// # Ok(()) }
    /// ```
    pub fn recursive(self) -> Self {
        Self(self.0.configure(|spec| spec.is_recursive = true))
    }

    /// Removes as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let remove = web.remove("/etc/nginx/default").sudo();
    /// assert_eq!(format!("{remove:?}"), "RemoveRequest(remove /etc/nginx/default by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

/// The hint for a directory without `.recursive()`.
const RECURSIVE: &str = "use `.recursive()` to remove a directory";

impl_future!(RemoveRequest => Changes, remove);

async fn remove(spec: Arc<RemoveSpec>) -> Result<Changes> {
    let spec = &*spec;
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let operation = spec.describe();
    spec.check().map_err(|error| context.error(error))?;
    let changes = |was_there: bool| ChangedPaths {
        files: Vec::new(),
        removed: was_there.then(|| spec.path.clone()).into_iter().collect(),
    };
    if planning::is_planned(context) {
        let compared = async {
            let query = &format!("stat {}", spec.path);
            let selector = BackendSelector { context, effect: Effect::Reads, operation: query };
            let found = selector.run(|backend| async move { backend.stat(&spec.path, query).await }).await?;
            let is_directory = found.lstat.is_some_and(|stat| stat.kind() == FileKind::Directory);
            if is_directory && !spec.is_recursive {
                return Err(context
                    .could_not(&operation)
                    .caused_by(CauseText(format!("{}{IS_A_DIRECTORY}", spec.path)))
                    .hint(RECURSIVE));
            }
            Ok(changes(found.lstat.is_some()))
        };
        let state = planning::plan(context, Side::Host, &operation, compared).await?;
        return Ok(Changes::new(context, host.clone(), operation, state));
    }
    let selector = BackendSelector { context, effect: Effect::Changes, operation: &operation };
    let was_there = selector.run(|backend| {
        let operation = &operation;
        async move { backend.remove(&spec.path, spec.is_recursive, operation).await }
    });
    let was_there =
        was_there.await.map_err(|error| if is_a_directory(&error) { error.hint(RECURSIVE) } else { error })?;
    let changes = changes(was_there);
    emit_transferred(connection, host, &operation, &[], changes.removed.len());
    Ok(Changes::new(context, host.clone(), operation.clone(), changes))
}

impl RemoveSpec {
    fn describe(&self) -> String {
        let all = if self.is_recursive { " recursively" } else { "" };
        let suffix = self.context.sudo_suffix();
        format!("remove {}{all}{suffix}", self.path)
    }

    /// Checks that the path ends with a name. `/` and `..` may result from an empty variable.
    fn check(&self) -> Result<()> {
        let last = self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if ["", ".", "..", "~"].contains(&last) {
            let text = format!("refusing to remove `{}`", self.path);
            return Err(Error::new(ErrorKind::Usage, text));
        }
        Ok(())
    }
}

impl Connection {
    /// Ensures that no file exists at a path. [`Changes::removed`] contains the path if a file was
    /// removed.
    ///
    /// A symlink is removed, and its target stays. A directory needs
    /// [`recursive`](RemoveRequest::recursive).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("old.conf", "").await?;
    /// assert_eq!(host.remove("old.conf").await?.removed()?, ["old.conf"]);
    /// assert!(!host.remove("old.conf").await?.any()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) for a directory, or if the file can't be removed.
    /// - [`Usage`](crate::ErrorKind::Usage) if the path does not end with a name, such as `/` or
    ///   `..`.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "rm")]
    #[doc(alias = "unlink")]
    #[track_caller]
    pub fn remove(&self, path: impl Into<String>) -> RemoveRequest {
        RemoveRequest::new(self.clone(), path.into(), Location::caller())
    }
}
