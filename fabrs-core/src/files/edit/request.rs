//! [`EditRequest`]: a change of a file where it is.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::TryFutureExt;

use super::kinds::{AppendLines, CommentLines, EnsureLine, IntoLines, ReplaceMatches, TextEdit, UncommentLines};
use super::read::{FileContent, content};
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::Result;
use crate::event::Event;
use crate::files::backend::Backend;
use crate::files::backend_error::BackendError;
use crate::files::backend_selector::BackendSelector;
use crate::files::changes::Changes;
use crate::files::checksum::Checksum;
use crate::files::content::Content;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::file_error::is_missing;
use crate::files::job::{Attributes, Job, ReplacePolicy, WriteOptions};
use crate::files::planning::Side;
use crate::files::transfer_context::TransferContext;
use crate::files::transfer_report::emit_transferred;
use crate::files::walk::{Item, ItemKind};
use crate::files::{diff, planning};
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
pub struct EditRequest<C: TextEdit>(Deferred<Spec<C>, Changes>);

struct Spec<C> {
    context: TransferContext,
    path: String,
    change: C,
    write_options: WriteOptions,
}

impl<C> fmt::Debug for Spec<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edit {}", self.path)
    }
}

impl<C: TextEdit> EditRequest<C> {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, change: C) -> Self {
        let context = TransferContext::of_transfer(connection, location);
        Self(Deferred::Described(Box::new(Spec { context, path, change, write_options: WriteOptions::default() })))
    }

    /// Has a line find nothing wrong with the file before it takes its place; `%s` in it is the file: as of
    /// [`put`](crate::files::PutRequest::validate).
    pub fn validate(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.configure(|spec| spec.write_options.validation = Some(line)))
    }

    /// Keeps a copy of the file as it was, under its name and this: `.backup(".bak")`.
    pub fn backup(self, suffix: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.write_options.backup = Some(suffix.into())))
    }

    /// Edits as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl EditRequest<CommentLines> {
    /// Says by what a comment begins: `;`. By default it is `#`.
    pub fn sign(self, sign: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.sign = sign.into()))
    }
}

impl EditRequest<UncommentLines> {
    /// Says by what a comment begins: `;`. By default it is `#`.
    pub fn sign(self, sign: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.sign = sign.into()))
    }
}

impl EditRequest<EnsureLine> {
    /// Puts the line in the place of the last one that this pattern matches, where there is one.
    pub fn matching(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.matching = Some(pattern.into())))
    }

    /// Puts it behind the last line that this pattern matches, rather than at the end.
    pub fn after(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.after = Some(pattern.into())))
    }

    /// Puts it before the last line that this pattern matches, rather than at the end.
    pub fn before(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.before = Some(pattern.into())))
    }
}

impl_future!(EditRequest<C> => Changes, edit, C: TextEdit);

async fn edit<C: TextEdit>(spec: Arc<Spec<C>>) -> Result<Changes> {
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let suffix = context.sudo_suffix();
    let operation = format!("{}{suffix}", spec.change.describe(&spec.path));
    // What is wrong with it is said before anything is read.
    spec.write_options.check().and_then(|()| spec.change.apply(Some(b""))).map_err(|error| context.error(error))?;
    let compare = async {
        let reading = BackendSelector { context, effect: Effect::Reads, operation: &operation };
        let old = reading.run(|backend| old_content(context, &spec.path, backend, &operation)).await?;
        let new = spec.change.apply(old.as_ref().map(|old| &old.content[..]));
        let new = new.map_err(|error| context.could_not(&operation).caused_by(error))?;
        if connection.diff_mode() != DiffMode::Off {
            let is_shown = old.as_ref().is_none_or(|old| old.is_public) || connection.diff_mode() == DiffMode::All;
            let old = old.as_ref().map(|old| &old.content[..]);
            let diff = diff::of_contents(old, &new, &spec.path, &operation, is_shown);
            connection.sink().event(&Event::Diff { host, operation: &operation, path: &spec.path, diff: &diff });
        }
        Ok((old, new))
    };
    let is_same = |old: &Option<FileContent>, new: &[u8]| old.as_ref().is_some_and(|old| old.content == new);
    if planning::is_planned(context) {
        let compared = compare.map_ok(|(old, new)| vec![(spec.path.clone(), !is_same(&old, &new))].into());
        let state = planning::plan(context, Side::Host, &operation, compared).await?;
        return Ok(Changes::new(context, host.clone(), operation, state));
    }
    let (old, new) = compare.await?;
    let written = if is_same(&old, &new) {
        (spec.path.clone(), false)
    } else {
        let job = job(&spec.path, old.as_ref().map(|old| &old.content[..]), new, &spec.write_options, &operation)
            .map_err(|error| context.error(error))?;
        let job = &job;
        let writing = BackendSelector { context, effect: Effect::Changes, operation: &operation };
        writing.run(|backend| async move { backend.put(context, job).await }).await?
    };
    let files = vec![written];
    emit_transferred(connection, host, &operation, &files, 0);
    Ok(Changes::new(context, host.clone(), operation, files))
}

/// Returns what is in a file; nothing where there is none.
async fn old_content(
    context: &TransferContext,
    path: &str,
    backend: Backend,
    operation: &str,
) -> Result<Option<FileContent>, BackendError> {
    match content(context, path, backend, operation).await {
        Ok(content) => Ok(Some(content)),
        Err(BackendError::Failed(error)) if is_missing(&error) => Ok(None),
        Err(undone) => Err(undone),
    }
}

/// Returns what has to be put, and in the place of what.
fn job(path: &str, old: Option<&[u8]>, new: Vec<u8>, write_options: &WriteOptions, operation: &str) -> Result<Job> {
    let content = Content::Bytes(Bytes::from(new));
    let fingerprint = Some(content.fingerprint()?);
    let replaces = old.map_or(ReplacePolicy::Nothing, |old| ReplacePolicy::Matching(Checksum::of(old)));
    let write_options = WriteOptions { replaces, ..write_options.clone() };
    let item = Item { content: ItemKind::File(content), below: Some(path.into()) };
    let (write_options, called) = (Arc::new(write_options), Some(operation.into()));
    Ok(Job { item, fingerprint, target: path.into(), attributes: Attributes::default(), write_options, called })
}

impl Connection {
    /// Adds lines at the end of a file, each unless it is there already; a file that is not there is made.
    ///
    /// # Errors
    ///
    /// When awaited, as [`put`](Self::put) of a file.
    #[track_caller]
    pub fn append(&self, path: impl Into<String>, lines: impl IntoLines) -> EditRequest<AppendLines> {
        EditRequest::new(self.clone(), path.into(), Location::caller(), AppendLines(lines.into_lines()))
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
    ) -> EditRequest<ReplaceMatches> {
        let change = ReplaceMatches { pattern: pattern.into(), with: with.into() };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Makes comments of the lines of a file in which a pattern matches: the sign comes behind their indentation.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn comment(&self, path: impl Into<String>, pattern: impl Into<String>) -> EditRequest<CommentLines> {
        let change = CommentLines { pattern: pattern.into(), sign: "#".to_owned() };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Takes the sign of a comment away from the lines of a file in the rest of which a pattern matches.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn uncomment(&self, path: impl Into<String>, pattern: impl Into<String>) -> EditRequest<UncommentLines> {
        let change = UncommentLines { pattern: pattern.into(), sign: "#".to_owned() };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Sees to it that a line is in a file: in the place of another ([`matching`](EditRequest::matching)), behind or before one, or
    /// else at its end. A file that is not there is made.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn ensure_line(&self, path: impl Into<String>, line: impl Into<String>) -> EditRequest<EnsureLine> {
        let change = EnsureLine { text: line.into(), matching: None, after: None, before: None };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }
}
