//! [`RemoveRequest`]: what is to be there no more.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::files::backend_selector::BackendSelector;
use crate::files::changes::ChangedPaths;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::entry::FileKind;
use crate::files::file_error::{IS_A_FOLDER, is_a_folder};
use crate::files::planning;
use crate::files::planning::Side;
use crate::files::transfer_context::TransferContext;
use crate::files::transfer_report::emit_transferred;
use crate::transport::Effect;

/// What is to be there no more: a builder, and the future of what it [`Changes`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended; what was removed by then is gone.
#[must_use = "nothing is removed until it is awaited"]
#[derive(Debug)]
pub struct RemoveRequest(Deferred<Spec, Changes>);

struct Spec {
    context: TransferContext,
    path: String,
    is_recursive: bool,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl RemoveRequest {
    fn new(connection: Connection, path: String, location: &'static Location<'static>) -> Self {
        let context = TransferContext::of_transfer(connection, location);
        Self(Deferred::Described(Box::new(Spec { context, path, is_recursive: false })))
    }

    /// Removes a folder too, with all that is in it.
    pub fn recursive(self) -> Self {
        Self(self.0.configure(|spec| spec.is_recursive = true))
    }

    /// Removes it as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

/// The hint for a folder that is in the way.
const RECURSIVE: &str = "`.recursive()` removes it with all in it";

impl_future!(RemoveRequest => Changes, remove);

async fn remove(spec: Arc<Spec>) -> Result<Changes> {
    let spec = &*spec;
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let operation = spec.describe();
    spec.check().map_err(|error| context.error(error))?;
    let made = |was_there: bool| ChangedPaths {
        files: Vec::new(),
        removed: was_there.then(|| spec.path.clone()).into_iter().collect(),
    };
    if planning::is_planned(context) {
        let compared = async {
            let looked = &format!("look at {}", spec.path);
            let selector = BackendSelector { context, effect: Effect::Reads, operation: looked };
            let found = selector.run(|backend| async move { backend.look(context, &spec.path, looked).await }).await?;
            let is_folder = found.lstat.is_some_and(|stat| stat.kind() == FileKind::Folder);
            if is_folder && !spec.is_recursive {
                return Err(context
                    .could_not(&operation)
                    .caused_by(CauseText(format!("{}{IS_A_FOLDER}", spec.path)))
                    .hint(RECURSIVE));
            }
            Ok(made(found.lstat.is_some()))
        };
        let state = planning::plan(context, Side::Host, &operation, compared).await?;
        return Ok(Changes::new(context, host.clone(), operation, state));
    }
    let selector = BackendSelector { context, effect: Effect::Changes, operation: &operation };
    let was_there = selector.run(|backend| {
        let operation = &operation;
        async move { backend.remove(context, &spec.path, spec.is_recursive, operation).await }
    });
    let was_there = was_there.await.map_err(|error| if is_a_folder(&error) { error.hint(RECURSIVE) } else { error })?;
    let made = made(was_there);
    emit_transferred(connection, host, &operation, &[], made.removed.len());
    Ok(Changes::new(context, host.clone(), operation.clone(), made))
}

impl Spec {
    fn describe(&self) -> String {
        let all = if self.is_recursive { " with all in it" } else { "" };
        let suffix = self.context.sudo_suffix();
        format!("remove {}{all}{suffix}", self.path)
    }

    /// Fails where the path is none of something in a folder: an empty variable was put into it, or it leads upwards.
    fn check(&self) -> Result<()> {
        let last = self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if ["", ".", "..", "~"].contains(&last) {
            let text = format!("`{}` is no name of something that could be removed", self.path);
            return Err(Error::new(ErrorKind::Usage, text));
        }
        Ok(())
    }
}

impl Connection {
    /// Sees to it that nothing is at a path: a file or a symlink is removed, and what that leads to stays. A folder is, with
    /// all in it, where that is said: [`recursive`](RemoveRequest::recursive). [`Changes::removed`] says whether it was there.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where a folder is there, or it can't be removed;
    /// [`Usage`](crate::ErrorKind::Usage) where the path ends with no name, as `/` and `..`; as any command.
    #[track_caller]
    pub fn remove(&self, path: impl Into<String>) -> RemoveRequest {
        RemoveRequest::new(self.clone(), path.into(), Location::caller())
    }
}
