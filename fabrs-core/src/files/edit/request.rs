//! [`EditRequest`]: edits a text file of a host.

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
use crate::file_backend::backend::Backend;
use crate::file_backend::backend_selector::BackendSelector;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, impl_future};
use crate::files::planning::Side;
use crate::files::{diff, planning};
use crate::shell::IntoShellLine;
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Checksum;
use crate::transfer::content::UploadContent;
use crate::transfer::context::TransferContext;
use crate::transfer::file_error::is_missing;
use crate::transfer::job::{Attributes, Job, ReplacePolicy, WriteOptions};
use crate::transfer::report::emit_transferred;
use crate::transfer::walk::{Item, ItemKind};
use crate::transport::Effect;

/// An edit of a text file: an awaitable builder. The output is [`Changes`].
///
/// The file is written atomically, and only if the content changes. If another process changes the
/// file between the read and the write, the edit is an error. A dry run reads the file, and plans
/// the change.
///
/// # Cancel safety
///
/// Dropping the future ends the edit. The file has the complete old content or the complete new
/// content, and no temporary file is left.
#[must_use = "nothing is edited until the request is awaited"]
#[derive(Debug)]
pub struct EditRequest<C: TextEdit>(Deferred<EditSpec<C>, Changes>);

struct EditSpec<C> {
    context: TransferContext,
    path: String,
    change: C,
    write_options: WriteOptions,
}

impl<C> fmt::Debug for EditSpec<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edit {}", self.path)
    }
}

impl<C: TextEdit> EditRequest<C> {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, change: C) -> Self {
        let context = TransferContext::for_transfer(connection, location);
        Self(Deferred::Described(Box::new(EditSpec { context, path, change, write_options: WriteOptions::default() })))
    }

    /// Validates the new file before it replaces the old one. `%s` in `line` is the path. See
    /// [`PutRequest::validate`](crate::files::PutRequest::validate).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("deploy.sh", "echo ok\n").await?;
    /// assert!(host.append("deploy.sh", "if").validate("sh -n %s").await.is_err());
    /// assert_eq!(host.read("deploy.sh").await?, "echo ok\n");
    /// # Ok(()) }
    /// ```
    pub fn validate(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.configure(|spec| spec.write_options.validation = Some(line)))
    }

    /// Validates the new file at its target, and restores the old file if the line fails. See
    /// [`PutRequest::validate_live`](crate::files::PutRequest::validate_live).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("deploy.sh", "echo ok\n").await?;
    /// assert!(host.append("deploy.sh", "if").validate_live("sh -n %s").await.is_err());
    /// assert_eq!(host.read("deploy.sh").await?, "echo ok\n");
    /// # Ok(()) }
    /// ```
    pub fn validate_live(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.configure(|spec| spec.write_options.live_validation = Some(line)))
    }

    /// Keeps the old file as a backup, under its name with `suffix` appended.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("hosts", "127.0.0.1 localhost\n").await?;
    /// host.append("hosts", "10.0.0.5 db").backup(".bak").await?;
    /// assert_eq!(host.read("hosts.bak").await?, "127.0.0.1 localhost\n");
    /// # Ok(()) }
    /// ```
    pub fn backup(self, suffix: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.write_options.backup = Some(suffix.into())))
    }

    /// Edits as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let edit = web.append("/etc/hosts", "10.0.0.5 db").sudo();
    /// assert_eq!(format!("{edit:?}"), "EditRequest(edit /etc/hosts)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl EditRequest<CommentLines> {
    /// Sets the comment marker, such as `;`. The default is `#`.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("php.ini", "expose_php = On\n").await?;
    /// host.comment("php.ini", "^expose_php").marker(";").await?;
    /// assert_eq!(host.read("php.ini").await?, "; expose_php = On\n");
    /// # Ok(()) }
    /// ```
    pub fn marker(self, marker: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.marker = marker.into()))
    }
}

impl EditRequest<UncommentLines> {
    /// Sets the comment marker, such as `;`. The default is `#`.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("php.ini", "; expose_php = On\n").await?;
    /// host.uncomment("php.ini", "^expose_php").marker(";").await?;
    /// assert_eq!(host.read("php.ini").await?, "expose_php = On\n");
    /// # Ok(()) }
    /// ```
    pub fn marker(self, marker: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.marker = marker.into()))
    }
}

impl EditRequest<EnsureLine> {
    /// Replaces the last line that matches this pattern, if there is one.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("app.env", "PORT=80\nDEBUG=0\n").await?;
    /// host.ensure_line("app.env", "PORT=8000").matching("^PORT=").await?;
    /// assert_eq!(host.read("app.env").await?, "PORT=8000\nDEBUG=0\n");
    /// # Ok(()) }
    /// ```
    pub fn matching(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.matching = Some(pattern.into())))
    }

    /// Inserts the line after the last line that matches this pattern. Without a match, the line is
    /// appended.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("app.ini", "[app]\n[log]\n").await?;
    /// host.ensure_line("app.ini", "port = 80").after(r"^\[app\]").await?;
    /// assert_eq!(host.read("app.ini").await?, "[app]\nport = 80\n[log]\n");
    /// # Ok(()) }
    /// ```
    pub fn after(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.after = Some(pattern.into())))
    }

    /// Inserts the line before the last line that matches this pattern. Without a match, the line
    /// is appended.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("app.ini", "[app]\n[log]\n").await?;
    /// host.ensure_line("app.ini", "port = 80").before(r"^\[log\]").await?;
    /// assert_eq!(host.read("app.ini").await?, "[app]\nport = 80\n[log]\n");
    /// # Ok(()) }
    /// ```
    pub fn before(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.change.before = Some(pattern.into())))
    }
}

impl_future!(EditRequest<C> => Changes, edit, C: TextEdit);

async fn edit<C: TextEdit>(spec: Arc<EditSpec<C>>) -> Result<Changes> {
    let (context, connection) = (&spec.context, &spec.context.connection);
    let host = connection.host_and_run(context.location)?.0;
    let suffix = context.sudo_suffix();
    let operation = format!("{}{suffix}", spec.change.describe(&spec.path));
    // Invalid options and patterns are errors before any access to the host.
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
        writing.run(|backend| async move { backend.put(job).await }).await?
    };
    let files = vec![written];
    emit_transferred(connection, host, &operation, &files, 0);
    Ok(Changes::new(context, host.clone(), operation, files))
}

/// Reads the old content, or returns `None` if the file does not exist.
async fn old_content(
    context: &TransferContext,
    path: &str,
    backend: Backend,
    operation: &str,
) -> Result<Option<FileContent>, BackendError> {
    match content(context, path, backend, operation).await {
        Ok(content) => Ok(Some(content)),
        Err(BackendError::Failed(error)) if is_missing(&error) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Creates the upload job of the new content. The job expects the old content on the host.
fn job(path: &str, old: Option<&[u8]>, new: Vec<u8>, write_options: &WriteOptions, operation: &str) -> Result<Job> {
    let content = UploadContent::Bytes(Bytes::from(new));
    let fingerprint = Some(content.fingerprint()?);
    let replaces = old.map_or(ReplacePolicy::Nothing, |old| ReplacePolicy::Matching(Checksum::of(old)));
    let write_options = WriteOptions { replaces, ..write_options.clone() };
    let item = Item { content: ItemKind::File(content), below: Some(path.into()) };
    let (write_options, description) = (Arc::new(write_options), Some(operation.into()));
    Ok(Job { item, fingerprint, target: path.into(), attributes: Attributes::default(), write_options, description })
}

impl Connection {
    /// Appends lines to a file, except lines that the file already has. A missing file is created.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("hosts", "127.0.0.1 localhost\n").await?;
    /// host.append("hosts", ["127.0.0.1 localhost", "10.0.0.5 db"]).await?;
    /// assert_eq!(host.read("hosts").await?, "127.0.0.1 localhost\n10.0.0.5 db\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put) of a file.
    #[doc(alias = "blockinfile")]
    #[track_caller]
    pub fn append(&self, path: impl Into<String>, lines: impl IntoLines) -> EditRequest<AppendLines> {
        EditRequest::new(self.clone(), path.into(), Location::caller(), AppendLines(lines.into_lines()))
    }

    /// Replaces all matches of a regular expression in a file.
    ///
    /// The pattern is an expression of the `regex` crate. With `(?m)`, `^` and `$` match at the
    /// start and the end of each line. In `with`, `$1` is the first group, `$name` a named group,
    /// and `$$` a dollar sign. `${1}` is required before a letter, a digit or `_`.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("app.conf", "port = 80\n").await?;
    /// host.replace("app.conf", r"(?m)^port = (\d+)$", "port = ${1}00").await?;
    /// assert_eq!(host.read("app.conf").await?, "port = 8000\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Usage`](crate::ErrorKind::Usage) for an invalid pattern or an unknown group.
    /// - The errors of [`put`](Self::put) of a file. A missing file is an error.
    #[doc(alias = "sed")]
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

    /// Comments out the lines of a file that match a pattern. The marker is added after the
    /// indentation.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("sshd_config", "PermitRootLogin yes\nPort 22\n").await?;
    /// host.comment("sshd_config", "^PermitRootLogin").await?;
    /// assert_eq!(host.read("sshd_config").await?, "# PermitRootLogin yes\nPort 22\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn comment(&self, path: impl Into<String>, pattern: impl Into<String>) -> EditRequest<CommentLines> {
        let change = CommentLines { pattern: pattern.into(), marker: "#".to_owned() };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Removes the comment marker from lines of a file. The pattern must match the line without the
    /// marker.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("sshd_config", "# Port 22\n# comment\n").await?;
    /// host.uncomment("sshd_config", "^Port").await?;
    /// assert_eq!(host.read("sshd_config").await?, "Port 22\n# comment\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[track_caller]
    pub fn uncomment(&self, path: impl Into<String>, pattern: impl Into<String>) -> EditRequest<UncommentLines> {
        let change = UncommentLines { pattern: pattern.into(), marker: "#".to_owned() };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }

    /// Ensures that a file has a line. A missing file is created.
    ///
    /// The line replaces another line ([`matching`](EditRequest::matching)), or is inserted
    /// [`after`](EditRequest::after) or [`before`](EditRequest::before) a line. By default, a
    /// missing line is appended.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// assert!(host.ensure_line("app.env", "PORT=80").await?.any()?);
    /// assert!(!host.ensure_line("app.env", "PORT=80").await?.any()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put) of a file, and [`Usage`](crate::ErrorKind::Usage) for an invalid
    /// pattern.
    #[doc(alias = "lineinfile")]
    #[track_caller]
    pub fn ensure_line(&self, path: impl Into<String>, line: impl Into<String>) -> EditRequest<EnsureLine> {
        let change = EnsureLine { text: line.into(), matching: None, after: None, before: None };
        EditRequest::new(self.clone(), path.into(), Location::caller(), change)
    }
}
