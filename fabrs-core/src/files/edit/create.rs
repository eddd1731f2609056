//! [`CreateRequest`]: a folder or a symlink that is to be there.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::TryFutureExt;

use crate::connection::Connection;
use crate::error::Result;
use crate::files::backend_selector::BackendSelector;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::job::{Attributes, Job, ReplacePolicy, WriteOptions, check_mode};
use crate::files::planning;
use crate::files::planning::Side;
use crate::files::transfer_context::TransferContext;
use crate::files::transfer_report::emit_transferred;
use crate::files::walk::{Item, ItemKind};
use crate::transport::Effect;

/// A folder or a symlink that is to be there: a builder, and the future of what it [`Changes`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended; what is not made by then is not there.
#[must_use = "nothing is made until it is awaited"]
#[derive(Debug)]
pub struct CreateRequest(Deferred<Spec, Changes>);

struct Spec {
    context: TransferContext,
    path: String,
    content: ItemKind,
    attributes: Attributes,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl CreateRequest {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, content: ItemKind) -> Self {
        let context = TransferContext::of_transfer(connection, location);
        Self(Deferred::Described(Box::new(Spec { context, path, content, attributes: Attributes::default() })))
    }

    /// Gives a folder this mode, also one that is there. By default a new one has `0o755`; a symlink has none of its own.
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.configure(|spec| spec.attributes.mode = Some(mode)))
    }

    /// Gives it to this user, by name or number: for who may do that.
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.owner = Some(Arc::from(user.into()))))
    }

    /// Gives it to this group, by name or number.
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.group = Some(Arc::from(group.into()))))
    }

    /// Makes it as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(CreateRequest => Changes, make);

async fn make(spec: Arc<Spec>) -> Result<Changes> {
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let operation = spec.describe();
    check_mode(spec.attributes.mode).map_err(|error| context.error(error))?;
    let job = &spec.job(&operation);
    if planning::is_planned(context) {
        let selector = BackendSelector { context, effect: Effect::Reads, operation: &operation };
        let compared = selector.run(|backend| async move { backend.plan(context, job).await });
        let state =
            planning::plan(context, Side::Host, &operation, compared.map_ok(|written| vec![written].into())).await?;
        return Ok(Changes::new(context, host.clone(), operation, state));
    }
    let selector = BackendSelector { context, effect: Effect::Changes, operation: &operation };
    let files = vec![selector.run(|backend| async move { backend.put(context, job).await }).await?];
    emit_transferred(connection, host, &operation, &files, 0);
    Ok(Changes::new(context, host.clone(), operation.clone(), files))
}

impl Spec {
    fn job(&self, operation: &str) -> Job {
        let item = Item { content: self.content.clone(), below: Some(PathBuf::from(&self.path)) };
        let (target, attributes) = (self.path.clone().into(), self.attributes.clone());
        // What is no symlink may be something that nobody has elsewhere.
        let write_options = Arc::new(WriteOptions { replaces: ReplacePolicy::Link, ..WriteOptions::default() });
        Job { item, fingerprint: None, target, attributes, write_options, called: Some(operation.into()) }
    }

    fn describe(&self) -> String {
        let suffix = self.context.sudo_suffix();
        match &self.content {
            ItemKind::Link(to) => format!("link {} -> {}{suffix}", self.path, to.display()),
            _ => format!("make the folder {}{suffix}", self.path),
        }
    }
}

impl Connection {
    /// Sees to it that a folder is there, with all above it.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where something else is there, or it can't be made; as any command.
    #[track_caller]
    pub fn ensure_dir(&self, path: impl Into<String>) -> CreateRequest {
        CreateRequest::new(self.clone(), path.into(), Location::caller(), ItemKind::Folder)
    }

    /// Sees to it that a symlink at `path` leads to `to`, which need not be there: one that is there is replaced in one step,
    /// so that who follows it comes to the old place or to the new one.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where something else than a symlink is there, or it can't be made; as any command.
    #[track_caller]
    pub fn symlink(&self, to: impl Into<PathBuf>, path: impl Into<String>) -> CreateRequest {
        CreateRequest::new(self.clone(), path.into(), Location::caller(), ItemKind::Link(to.into()))
    }
}
