//! [`Look`]: what is at a path of a host.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::Result;
use crate::files::backend_choice::Way;
use crate::files::deferred::{Deferred, awaited};
use crate::files::entry::{FileKind, Found, Stat};
use crate::files::place::Place;
use crate::transport::Effect;

/// A look at a path of a host: a builder, and the future of what is there. It is done in a dry run too.
///
/// # Cancel safety
///
/// Dropped, it is ended; it changes nothing.
#[must_use = "nothing is looked at until it is awaited"]
#[derive(Debug)]
pub struct Look<T>(Deferred<Spec<T>, T>);

struct Spec<T> {
    place: Place,
    path: String,
    answer: fn(Found) -> T,
}

impl<T> fmt::Debug for Spec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look at {}", self.path)
    }
}

impl<T: Send + 'static> Look<T> {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, answer: fn(Found) -> T) -> Self {
        let place = Place::of(connection, location);
        Self(Deferred::Made(Box::new(Spec { place, path, answer })))
    }

    /// Looks as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

awaited!(Look<T> => T, by look, of T);

async fn look<T>(spec: Arc<Spec<T>>) -> Result<T> {
    let what = format!("look at {}", spec.path);
    let way = Way { place: &spec.place, effect: Effect::Reads, what: &what };
    let (place, path, what) = (&spec.place, &*spec.path, &*what);
    way.go(|by| async move { by.look(place, path, what).await }).await.map(spec.answer)
}

impl Connection {
    /// Looks whether there is something at a path; a symlink that leads nowhere is nothing.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where it can't be known, and as any command.
    #[track_caller]
    pub fn exists(&self, path: impl Into<String>) -> Look<bool> {
        Look::new(self.clone(), path.into(), Location::caller(), |found| found.behind.is_some())
    }

    /// Looks whether there is a folder at a path, or a symlink to one.
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn is_dir(&self, path: impl Into<String>) -> Look<bool> {
        Look::new(self.clone(), path.into(), Location::caller(), |found| {
            found.behind.is_some_and(|stat| stat.kind == FileKind::Folder)
        })
    }

    /// Looks whether there is a symlink at a path, wherever it leads.
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn is_link(&self, path: impl Into<String>) -> Look<bool> {
        Look::new(self.clone(), path.into(), Location::caller(), |found| {
            found.itself.is_some_and(|stat| stat.kind == FileKind::Symlink)
        })
    }

    /// Looks what is to know of a file, or of what a symlink leads to; nothing where nothing is there.
    ///
    /// # Errors
    ///
    /// As [`exists`](Self::exists).
    #[track_caller]
    pub fn stat(&self, path: impl Into<String>) -> Look<Option<Stat>> {
        Look::new(self.clone(), path.into(), Location::caller(), |found| found.behind)
    }
}
