//! [`StatRequest`]: what is at a path of a host.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::Result;
use crate::files::backend_selector::BackendSelector;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::entry::{FileKind, PathStat, Stat};
use crate::files::transfer_context::TransferContext;
use crate::transport::Effect;

/// A look at a path of a host: a builder, and the future of what is there. It is done in a dry run too.
///
/// # Cancel safety
///
/// Dropped, it is ended; it changes nothing.
#[must_use = "nothing is looked at until it is awaited"]
#[derive(Debug)]
pub struct StatRequest<T>(Deferred<Spec<T>, T>);

struct Spec<T> {
    context: TransferContext,
    path: String,
    answer: fn(PathStat) -> T,
}

impl<T> fmt::Debug for Spec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look at {}", self.path)
    }
}

impl<T: Send + 'static> StatRequest<T> {
    fn new(
        connection: Connection,
        path: String,
        location: &'static Location<'static>,
        answer: fn(PathStat) -> T,
    ) -> Self {
        let context = TransferContext::of(connection, location);
        Self(Deferred::Described(Box::new(Spec { context, path, answer })))
    }

    /// Looks as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(StatRequest<T> => T, look, T);

async fn look<T>(spec: Arc<Spec<T>>) -> Result<T> {
    let operation = format!("look at {}", spec.path);
    let selector = BackendSelector { context: &spec.context, effect: Effect::Reads, operation: &operation };
    let (context, path, operation) = (&spec.context, &*spec.path, &*operation);
    selector.run(|backend| async move { backend.look(context, path, operation).await }).await.map(spec.answer)
}

impl Connection {
    /// Looks whether there is something at a path; a symlink that leads nowhere is nothing.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where it can't be known, and as any command.
    #[track_caller]
    pub fn exists(&self, path: impl Into<String>) -> StatRequest<bool> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| found.stat.is_some())
    }

    /// Looks whether there is a folder at a path, or a symlink to one.
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn is_dir(&self, path: impl Into<String>) -> StatRequest<bool> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| {
            found.stat.is_some_and(|stat| stat.kind == FileKind::Folder)
        })
    }

    /// Looks whether there is a symlink at a path, wherever it leads.
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

    /// Looks what is to know of a file, or of what a symlink leads to; nothing where nothing is there.
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn stat(&self, path: impl Into<String>) -> StatRequest<Option<Stat>> {
        StatRequest::new(self.clone(), path.into(), Location::caller(), |found| found.stat)
    }
}
