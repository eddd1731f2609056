//! [`Edit`]: a change of a file where it is.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::TryFutureExt;

use super::kinds::{Append, Change, Comment, IntoLines, Line, Replace, Uncomment};
use super::read::{Contents, content};
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::Result;
use crate::event::Event;
use crate::files::backend::Backend;
use crate::files::backend_choice::Way;
use crate::files::backend_error::BackendError;
use crate::files::blob::Blob;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, awaited};
use crate::files::file_error::is_missing;
use crate::files::job::{Attributes, Job, Landing, Replaces};
use crate::files::place::Place;
use crate::files::planning::Side;
use crate::files::sum::Sum;
use crate::files::transfer_report::tell;
use crate::files::walk::{Content, Item};
use crate::files::{difference, planning};
use crate::shell::IntoShellLine;
use crate::transport::Effect;

/// A change of a file where it is: a builder, and the future of what it [`Changes`].
///
/// The file lands whole or not at all and is not written where nothing of it would be another. What it was when it was
/// read is what is replaced: where another has changed it meanwhile, that is an error. A dry run reads the file, and plans the
/// change.
///
/// # Cancel safety
///
/// Dropped, what has started is ended and leaves the old file and no other.
#[must_use = "nothing is edited until it is awaited"]
#[derive(Debug)]
pub struct Edit<C: Change>(Deferred<Spec<C>, Changes>);

struct Spec<C> {
    place: Place,
    path: String,
    change: C,
    landing: Landing,
}

impl<C> fmt::Debug for Spec<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edit {}", self.path)
    }
}

impl<C: Change> Edit<C> {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, change: C) -> Self {
        let place = Place::of_transfer(connection, location);
        Self(Deferred::Made(Box::new(Spec { place, path, change, landing: Landing::default() })))
    }

    /// Has a line find nothing wrong with the file before it takes its place; `%s` in it is the file: as of
    /// [`put`](crate::connection::Put::validate).
    pub fn validate(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.changed(|spec| spec.landing.validation = Some(line)))
    }

    /// Keeps a copy of the file as it was, under its name and this: `.backup(".bak")`.
    pub fn backup(self, suffix: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.landing.backup = Some(suffix.into())))
    }

    /// Edits as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

impl Edit<Comment> {
    /// Says by what a comment begins: `;`. Backend default it is `#`.
    pub fn sign(self, sign: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.change.sign = sign.into()))
    }
}

impl Edit<Uncomment> {
    /// Says by what a comment begins: `;`. Backend default it is `#`.
    pub fn sign(self, sign: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.change.sign = sign.into()))
    }
}

impl Edit<Line> {
    /// Puts the line in the place of the last one that this pattern matches, where there is one.
    pub fn matching(self, pattern: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.change.instead_of = Some(pattern.into())))
    }

    /// Puts it behind the last line that this pattern matches, rather than at the end.
    pub fn after(self, pattern: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.change.after = Some(pattern.into())))
    }

    /// Puts it before the last line that this pattern matches, rather than at the end.
    pub fn before(self, pattern: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.change.before = Some(pattern.into())))
    }
}

awaited!(Edit<C> => Changes, by edit, of C: Change);

async fn edit<C: Change>(spec: Arc<Spec<C>>) -> Result<Changes> {
    let (place, connection) = (&spec.place, &spec.place.connection);
    let host = connection.host_and_run(place.location)?.0;
    let by_sudo = place.by();
    let what = format!("{}{by_sudo}", spec.change.in_words(&spec.path));
    // What is wrong with it is said before anything is read.
    spec.landing.check().and_then(|()| spec.change.apply(Some(b""))).map_err(|error| place.error(error))?;
    let compare = async {
        let reading = Way { place, effect: Effect::Reads, what: &what };
        let old = reading.go(|by| old_content(place, &spec.path, by, &what)).await?;
        let new = spec.change.apply(old.as_ref().map(|old| &old.content[..]));
        let new = new.map_err(|error| place.could_not(&what).caused_by(error))?;
        if connection.diff_mode() != DiffMode::Off {
            let is_shown = old.as_ref().is_none_or(|old| old.is_public) || connection.diff_mode() == DiffMode::All;
            let old = old.as_ref().map(|old| &old.content[..]);
            let difference = difference::between(old, &new, &spec.path, &what, is_shown);
            connection.sink().event(&Event::Diff { host, operation: &what, path: &spec.path, diff: &difference });
        }
        Ok((old, new))
    };
    let is_same = |old: &Option<Contents>, new: &[u8]| old.as_ref().is_some_and(|old| old.content == new);
    if planning::is_planned(place) {
        let compared = compare.map_ok(|(old, new)| vec![(spec.path.clone(), !is_same(&old, &new))].into());
        let state = planning::plan(place, Side::Host, &what, compared).await?;
        return Ok(Changes::new(place, host.clone(), what, state));
    }
    let (old, new) = compare.await?;
    let written = if is_same(&old, &new) {
        (spec.path.clone(), false)
    } else {
        let job = job(&spec.path, old.as_ref().map(|old| &old.content[..]), new, &spec.landing, &what)
            .map_err(|error| place.error(error))?;
        let job = &job;
        let writing = Way { place, effect: Effect::Changes, what: &what };
        writing.go(|by| async move { by.put(place, job).await }).await?
    };
    let files = vec![written];
    tell(connection, host, &what, &files, 0);
    Ok(Changes::new(place, host.clone(), what, files))
}

/// Returns what is in a file; nothing where there is none.
async fn old_content(place: &Place, path: &str, by: Backend, what: &str) -> Result<Option<Contents>, BackendError> {
    match content(place, path, by, what).await {
        Ok(content) => Ok(Some(content)),
        Err(BackendError::Failed(error)) if is_missing(&error) => Ok(None),
        Err(undone) => Err(undone),
    }
}

/// Returns what has to be put, and in the place of what.
fn job(path: &str, old: Option<&[u8]>, new: Vec<u8>, landing: &Landing, what: &str) -> Result<Job> {
    let content = Blob::Bytes(Bytes::from(new));
    let stamp = Some(content.stamp()?);
    let replaces = old.map_or(Replaces::Nothing, |old| Replaces::This(Sum::of(old)));
    let landing = Landing { replaces, ..landing.clone() };
    let item = Item { content: Content::File(content), below: Some(path.into()) };
    let (landing, called) = (Arc::new(landing), Some(what.into()));
    Ok(Job { item, stamp, target: path.into(), attributes: Attributes::default(), landing, called })
}

impl Connection {
    /// Adds lines at the end of a file, each unless it is there already; a file that is not there is made.
    ///
    /// # Errors
    ///
    /// When awaited, as [`put`](Self::put) of a file.
    #[track_caller]
    pub fn append(&self, path: impl Into<String>, lines: impl IntoLines) -> Edit<Append> {
        Edit::new(self.clone(), path.into(), Location::caller(), Append(lines.into_lines()))
    }

    /// Puts a text in the place of all that a pattern matches in a file: a regular expression of the `regex` crate, of which
    /// `(?m)` lets `^` and `$` stand for the ends of lines. `$1` in the text is what the first group has matched, `${1}` where a
    /// letter or a digit follows, `$name` what the group of that name has; `$$` is a dollar.
    ///
    /// # Errors
    ///
    /// When awaited: [`Usage`](crate::ErrorKind::Usage) where the pattern is none, or has no such group; as [`put`](Self::put) of a file.
    #[track_caller]
    pub fn replace(
        &self,
        path: impl Into<String>,
        pattern: impl Into<String>,
        with: impl Into<String>,
    ) -> Edit<Replace> {
        let change = Replace { pattern: pattern.into(), with: with.into() };
        Edit::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Makes comments of the lines of a file in which a pattern matches: the sign comes behind their indentation.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn comment(&self, path: impl Into<String>, pattern: impl Into<String>) -> Edit<Comment> {
        let change = Comment { pattern: pattern.into(), sign: "#".to_owned() };
        Edit::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Takes the sign of a comment away from the lines of a file in the rest of which a pattern matches.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn uncomment(&self, path: impl Into<String>, pattern: impl Into<String>) -> Edit<Uncomment> {
        let change = Uncomment { pattern: pattern.into(), sign: "#".to_owned() };
        Edit::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Sees to it that a line is in a file: in the place of another ([`matching`](Edit::matching)), behind or before one, or
    /// else at its end. A file that is not there is made.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn ensure_line(&self, path: impl Into<String>, line: impl Into<String>) -> Edit<Line> {
        let change = Line { text: line.into(), instead_of: None, after: None, before: None };
        Edit::new(self.clone(), path.into(), Location::caller(), change)
    }
}
