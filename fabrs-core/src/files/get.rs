//! [`GetRequest`]: a download of files from a host.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use futures::stream::{StreamExt, TryStreamExt};

use super::changes::ChangedPaths;
use super::changes::Changes;
use super::deferred::{Deferred, impl_future};
use super::local_targets::{DEFAULT_TARGET, LocalTargets, base_name};
use super::planning;
use super::planning::Side;
use crate::connection::Connection;
use crate::error::Result;
use crate::file_backend::backend::Backend;
use crate::file_backend::backend_selector::BackendSelector;
use crate::host::Host;
use crate::mutex::lock;
use crate::transfer::backend_error::BackendError;
use crate::transfer::content::CHUNK_SIZE;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::{PARALLEL_FILES, blocking, blocking_while};
use crate::transfer::entry::{DirectoryEntry, EntryKind};
use crate::transfer::file_error::is_a_directory;
use crate::transfer::incoming_file::IncomingFile;
use crate::transfer::job::check_mode;
use crate::transfer::local_file::write_link;
use crate::transfer::local_path::LocalPath;
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::report::{FileOutcome, emit_transferred};
use crate::transfer::tree_download::DownloadMode;
use crate::transport::Effect;

/// A download of files from a host: an awaitable builder. The output is [`Changes`] on
/// this machine.
///
/// Each file is written atomically, and equal files are not sent. See [`Connection::get`].
///
/// # Cancel safety
///
/// Dropping the future ends the download. Each local file is the complete old file or the complete
/// new file, and no temporary file is left.
#[must_use = "nothing is downloaded until the request is awaited"]
#[derive(Debug)]
pub struct GetRequest(Deferred<GetSpec, Changes>);

struct GetSpec {
    context: TransferContext,
    path: String,
    to: String,
    mode: Option<u32>,
}

impl fmt::Debug for GetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <- {}", self.to, self.path)
    }
}

impl GetRequest {
    pub(super) fn new(connection: Connection, path: String, to: String, location: &'static Location<'static>) -> Self {
        let to = if to.is_empty() { DEFAULT_TARGET.to_owned() } else { to };
        let context = TransferContext::for_transfer(connection, location);
        Self(Deferred::Described(Box::new(GetSpec { context, path, to, mode: None })))
    }

    /// Sets the exact mode of the files, such as `0o600`. The default is the mode on the host,
    /// without the bits that the umask removes.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # use std::os::unix::fs::PermissionsExt;
    /// host.write("shop.conf", "port = 80\n").await?;
    /// let copy = dir.path().join("copy");
    /// host.get("shop.conf", copy.to_str().unwrap()).mode(0o600).await?;
    /// assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    /// # Ok(()) }
    /// ```
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.configure(|spec| spec.mode = Some(mode)))
    }

    /// Reads the files as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let download = web.get("/var/log/auth.log", "logs/").sudo();
    /// assert_eq!(format!("{download:?}"), "GetRequest(logs/ <- /var/log/auth.log)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(GetRequest => Changes, get);

async fn get(spec: Arc<GetSpec>) -> Result<Changes> {
    let targets = LocalTargets::new(spec.context.connection.host(), &spec.to);
    let operation = format!("get {} <- {}{}", targets.shown(), spec.path, spec.context.sudo_suffix());
    targets.check().and_then(|()| check_mode(spec.mode)).map_err(|error| spec.context.error(error))?;
    let selector = BackendSelector { context: &spec.context, effect: Effect::Reads, operation: &operation };
    let host = spec.context.connection.host().cloned().unwrap_or_else(Host::local);
    if planning::is_planned(&spec.context) {
        let compared = selector.run(|backend| get_by(&spec, backend)).map_ok(ChangedPaths::from);
        let state = planning::plan(&spec.context, Side::Local, &operation, compared).await?;
        return Ok(Changes::new(&spec.context, host, operation, state));
    }
    let files = selector.run(|backend| get_by(&spec, backend)).await?;
    let to = match files.as_slice() {
        [(only, _)] => only,
        _ => &spec.to,
    };
    let operation = format!("get {to} <- {}", spec.path);
    warn_about_replaced_files(&spec.context, &host, &files);
    emit_transferred(&spec.context.connection, &host, &operation, &files, 0);
    Ok(Changes::new(&spec.context, host, operation, files))
}

async fn get_by(spec: &GetSpec, backend: Backend) -> Result<Vec<FileOutcome>, BackendError> {
    let (backend, path) = (&backend, Path::new(&spec.path));
    let targets = LocalTargets::new(spec.context.connection.host(), &spec.to);
    if spec.path.contains(['*', '?', '[']) {
        return spec.get_matches(backend, &targets).await;
    }
    if !matches!(base_name(path).as_bytes(), b"" | b"." | b"..") && !spec.path.ends_with('/') {
        let to = targets.for_file(base_name(path)).map_err(|error| spec.context.error(error))?;
        match spec.get_file(backend, path, to).await {
            // The backend reports a directory only after the request.
            Err(BackendError::Failed(error)) if is_a_directory(&error) => {}
            result => return Ok(vec![result?]),
        }
    }
    spec.get_directory(backend, path, &targets).await
}

/// Returns a path for messages.
fn shown(path: &LocalPath) -> String {
    path.path().display().to_string()
}

/// The host of the last download to each local path in this run.
#[derive(Debug, Default)]
struct LastHosts(Mutex<HashMap<String, Host>>);

/// Emits a warning for each file that replaces the file of another host.
fn warn_about_replaced_files(context: &TransferContext, host: &Host, files: &[FileOutcome]) {
    let Some(run) = context.connection.state() else { return };
    let last_hosts = run.extension::<LastHosts>();
    let mut last_hosts = lock(&last_hosts.0);
    for (path, is_new) in files {
        if let Some(other) = last_hosts.insert(path.clone(), host.clone()).filter(|other| *is_new && other != host) {
            let text = format!("`{path}` replaced the file of {other}: add `{{host}}` to the target");
            context.warn(&text);
        }
    }
}

impl GetSpec {
    /// Downloads all matches of a pattern.
    async fn get_matches(
        &self,
        backend: &Backend,
        targets: &LocalTargets<'_>,
    ) -> Result<Vec<FileOutcome>, BackendError> {
        let matches = backend.matches(&self.path, &format!("get {}", self.path)).await?;
        let (directories, files): (Vec<_>, Vec<_>) = matches.into_iter().partition(|(_, is_directory)| *is_directory);
        let here = |path: &Path| targets.for_match(path).map_err(|error| self.context.error(error));
        let files = files.into_iter().map(|(path, _)| Ok((here(&path)?, path))).collect::<Result<Vec<_>>>()?;
        let gets: Vec<_> = files.iter().map(|(to, path)| self.get_file(backend, path, to.clone())).collect();
        let mut written: Vec<_> = futures::stream::iter(gets).buffered(PARALLEL_FILES).try_collect().await?;
        for (directory, _) in directories {
            written.extend(self.get_directory(backend, &directory, targets).await?);
        }
        Ok(written)
    }

    /// Downloads the content of a directory.
    async fn get_directory(
        &self,
        backend: &Backend,
        directory: &Path,
        targets: &LocalTargets<'_>,
    ) -> Result<Vec<FileOutcome>, BackendError> {
        let local_path_of = |entry: &DirectoryEntry| {
            let is_left_out = entry.kind == EntryKind::Directory && !targets.keeps_directories();
            let path = (!is_left_out).then(|| targets.for_entry(directory, &entry.below));
            path.transpose().map_err(|error| self.context.error(error))
        };
        let operation = format!("get {}", directory.display());
        let download_mode = if self.is_planned() { DownloadMode::Compare } else { DownloadMode::Write(self.mode) };
        let entries = backend.get_directory(directory, &local_path_of, download_mode, &operation).await?;
        let (mut left, mut links, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let full: HashSet<_> = entries.iter().filter_map(|(_, to)| to.path().parent().map(Path::to_owned)).collect();
        if entries.is_empty() && targets.keeps_directories() {
            let to = targets.for_entry(directory, Path::new("")).map_err(|error| self.context.error(error))?;
            written.extend(self.create_directory(&to).await?.then(|| (shown(&to), true)));
        }
        for (entry, to) in entries {
            match (entry.kind, entry.done) {
                (_, Some(done)) => written.push((shown(&to), done)),
                (EntryKind::File, None) => left.push((directory.join(entry.below), to)),
                (EntryKind::Directory, None) => {
                    // Only empty directories are listed: a file implies its directories.
                    if self.create_directory(&to).await? && !full.contains(&to.path()) {
                        written.push((shown(&to), true));
                    }
                }
                (EntryKind::Link(content), None) => links.push((content, to)),
                (EntryKind::Other, None) => {}
            }
        }
        let gets: Vec<_> = left.iter().map(|(path, to)| self.get_file(backend, path, to.clone())).collect();
        let mut got: Vec<_> = futures::stream::iter(gets).buffered(PARALLEL_FILES).try_collect().await?;
        written.append(&mut got);
        for (content, to) in links {
            written.push((shown(&to), self.write_link(content, &to).await?));
        }
        Ok(written)
    }

    /// Returns true if this is a dry run: files are compared, and not written.
    fn is_planned(&self) -> bool {
        planning::is_planned(&self.context)
    }

    /// Creates a local directory. Returns true if the directory is new. A dry run only checks.
    async fn create_directory(&self, to: &LocalPath) -> Result<bool> {
        let (to, is_planned) = (to.clone(), self.is_planned());
        let created = blocking(move || if is_planned { Ok(!to.is_directory()?) } else { to.create_directory() });
        created.await.map_err(|error| self.context.error(error))
    }

    /// Writes a local symlink. Returns true if the symlink is new. A dry run only checks.
    async fn write_link(&self, content: PathBuf, to: &LocalPath) -> Result<bool> {
        let (to, is_planned) = (to.clone(), self.is_planned());
        let written = blocking(move || {
            let is_new = to.read_link().as_ref() != Some(&content);
            if is_new && !is_planned {
                write_link(&to, &content)?;
            }
            Ok(is_new)
        });
        written.await.map_err(|error| self.context.error(error))
    }

    /// Downloads one file. Returns the local path, and true if the file was written.
    fn get_file<'a>(
        &'a self,
        backend: &'a Backend,
        path: &'a Path,
        to: LocalPath,
    ) -> BoxFuture<'a, Result<FileOutcome, BackendError>> {
        async move {
            let suffix = self.context.sudo_suffix();
            let name = shown(&to);
            let operation = format!("get {name} <- {}{suffix}", path.display());
            let here = to.clone();
            // A local file that can't be read counts as missing, and is replaced.
            let known = blocking_while(move |is_wanted| Ok(here.sum(&mut vec![0; CHUNK_SIZE], is_wanted).ok())).await?;
            if self.is_planned() {
                let is_new = backend.is_new(path, known.as_ref(), &operation).await?;
                return Ok((name, is_new));
            }
            let (context, description) = (self.context.clone(), operation.clone());
            let incoming_file = IncomingFile::new(to, self.mode);
            let incoming_file =
                incoming_file.with_progress(move |size| ProgressCounter::new(&context, &description, size));
            let mut is_new = backend.get(path, known.as_ref(), &incoming_file, &operation).await?;
            if is_new {
                let persisted = blocking(move || incoming_file.persist()).await;
                is_new = persisted.map_err(|error| self.context.could_not(&operation).caused_by(error))?;
            }
            Ok((name, is_new))
        }
        .boxed()
    }
}
