//! [`Read`]: the content of a file of a host, in memory.

use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::text;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::files::arrival::Arrival;
use crate::files::backend::Backend;
use crate::files::backend_choice::Way;
use crate::files::backend_error::BackendError;
use crate::files::deferred::{Deferred, awaited};
use crate::files::place::Place;
use crate::transport::Effect;

/// How large a file may be that is read into memory.
const MOST: u64 = 64 << 20;

/// The content of a file on its way: a builder, and the future of it. It is read in a dry run too.
///
/// # Cancel safety
///
/// Dropped, it is ended; it changes nothing.
#[must_use = "nothing is read until it is awaited"]
#[derive(Debug)]
pub struct Read<T>(Deferred<Spec<T>, T>);

struct Spec<T> {
    place: Place,
    path: String,
    answer: Box<dyn Fn(Vec<u8>) -> Result<T> + Send + Sync>,
}

impl<T> fmt::Debug for Spec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {}", self.path)
    }
}

impl<T: Send + 'static> Read<T> {
    /// Reads as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

awaited!(Read<T> => T, by read, of T);

async fn read<T>(spec: Arc<Spec<T>>) -> Result<T> {
    let what = format!("read {}", spec.path);
    let way = Way { place: &spec.place, effect: Effect::Reads, what: &what };
    let read = way.go(|by| content(&spec.place, &spec.path, by, &what)).await?;
    (spec.answer)(read.content).map_err(|error| spec.place.error(error))
}

/// What is in a file.
pub(super) struct Contents {
    pub(super) content: Vec<u8>,
    /// Whether everybody on the host may read it.
    pub(super) is_public: bool,
}

/// Reads a file into memory.
pub(super) async fn content(place: &Place, path: &str, by: Backend, what: &str) -> Result<Contents, BackendError> {
    let arrival = Arrival::in_memory(MOST);
    by.get(place, Path::new(path), None, &arrival, what).await?;
    let is_public = !arrival.is_private();
    let content = arrival.into_bytes().map_err(|error| place.could_not(what).caused_by(error))?;
    Ok(Contents { content, is_public })
}

impl Connection {
    /// Reads a file of the host, of at most 64 MiB.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where it can't be read, with the reason, or is no UTF-8
    /// ([`read_bytes`](Self::read_bytes) reads what is none); and as any command.
    #[track_caller]
    pub fn read(&self, path: impl Into<String>) -> Read<String> {
        let path = path.into();
        let shown = path.clone();
        self.reading(path, Location::caller(), move |bytes| {
            String::from_utf8(bytes)
                .map_err(|source| Error::new(ErrorKind::File, format!("`{shown}` is no text")).caused_by(source))
        })
    }

    /// Reads a file of the host, whatever is in it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn read_bytes(&self, path: impl Into<String>) -> Read<Vec<u8>> {
        self.reading(path.into(), Location::caller(), Ok)
    }

    /// Looks whether a text is part of a file, whatever signs are in it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn contains(&self, path: impl Into<String>, what: impl Into<String>) -> Read<bool> {
        let what = what.into();
        self.reading(path.into(), Location::caller(), move |bytes| Ok(text::contains(&bytes, &what)))
    }

    fn reading<T>(
        &self,
        path: String,
        location: &'static Location<'static>,
        answer: impl Fn(Vec<u8>) -> Result<T> + Send + Sync + 'static,
    ) -> Read<T> {
        let place = Place::of(self.clone(), location);
        Read(Deferred::Made(Box::new(Spec { place, path, answer: Box::new(answer) })))
    }
}
