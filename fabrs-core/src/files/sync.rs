//! [`SyncRequest`]: makes a directory of a host equal to a local directory.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::changes::Changes;
use super::deferred::{Deferred, impl_future};
use super::planning::Side;
use super::{planning, tree};
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, FileDiff};
use crate::file_backend::backend_selector::BackendSelector;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::blocking;
use crate::transfer::job::{Attributes, Job, SyncRules, Tree, TreeMode, WriteOptions, create_jobs};
use crate::transfer::patterns::Patterns;
use crate::transfer::report::emit_transferred;
use crate::transfer::source::Source;
use crate::transfer::template_vars::TemplateVars;
use crate::transfer::tilde::expand_tilde;
use crate::transfer::walk::{Item, ItemKind, SourceFilter};
use crate::transport::Effect;

/// A synchronization of a directory of a host with a local directory: an awaitable builder. The
/// output is [`Changes`].
///
/// See [`Connection::sync`].
///
/// # Cancel safety
///
/// Dropping the future ends the transfer. Each target is the complete old file or the complete new
/// file, and no temporary file is left.
#[must_use = "nothing is transferred until the request is awaited"]
#[derive(Debug)]
pub struct SyncRequest(Deferred<SyncSpec, Changes>);

struct SyncSpec {
    context: TransferContext,
    from: PathBuf,
    to: String,
    filter: SourceFilter,
    protects: Vec<String>,
    attributes: Attributes,
    write_options: Arc<WriteOptions>,
    deletes: bool,
    by_checksum: bool,
}

impl fmt::Debug for SyncSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl SyncRequest {
    pub(super) fn new(connection: Connection, from: PathBuf, to: String, location: &'static Location<'static>) -> Self {
        let context = TransferContext::for_transfer(connection, location);
        Self(Deferred::Described(Box::new(SyncSpec {
            context,
            from,
            to,
            filter: SourceFilter::default(),
            protects: Vec::new(),
            attributes: Attributes::default(),
            write_options: Arc::new(WriteOptions { replaces_symlinks: true, ..WriteOptions::default() }),
            deletes: false,
            by_checksum: false,
        })))
    }

    /// Removes files of the host without a local counterpart, except [protected](Self::protect) and
    /// [excluded](Self::exclude) files.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "").unwrap();
    /// # host.ensure_dir("www").await?;
    /// # host.write("www/old.html", "").await?;
    /// let changes = host.sync(site, "www").delete().await?;
    /// assert_eq!(changes.removed()?, ["www/old.html"]);
    /// # Ok(()) }
    /// ```
    pub fn delete(self) -> Self {
        Self(self.0.configure(|spec| spec.deletes = true))
    }

    /// Protects matching files of the host from [`delete`](Self::delete). A matching directory
    /// protects all files below the directory. A pattern with a `/` at the start or inside matches
    /// the path below the target: `/uploads` matches only the entry of the target itself. Any other
    /// pattern matches the file name at any depth.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "").unwrap();
    /// # host.ensure_dir("www/uploads").await?;
    /// # host.write("www/uploads/photo.jpg", "").await?;
    /// let changes = host.sync(site, "www").delete().protect("uploads").await?;
    /// assert!(changes.removed()?.is_empty());
    /// assert!(host.exists("www/uploads/photo.jpg").await?);
    /// # Ok(()) }
    /// ```
    pub fn protect(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.protects.push(pattern.into())))
    }

    /// Excludes matching files on both sides: they are neither sent nor removed.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "").unwrap();
    /// # std::fs::write(site.join("notes.txt"), "").unwrap();
    /// let changes = host.sync(site, "www").exclude("*.txt").await?;
    /// assert_eq!(changes.files()?, ["www/index.html"]);
    /// # Ok(()) }
    /// ```
    pub fn exclude(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.filter.excludes.push(pattern.into())))
    }

    /// Excludes local files as listed in `.gitignore` and `.ignore`, in the directory and in the
    /// directories above. With [`delete`](Self::delete), these files are removed on the host.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "").unwrap();
    /// # std::fs::write(site.join("debug.log"), "").unwrap();
    /// # std::fs::write(site.join(".ignore"), "*.log\n.ignore\n").unwrap();
    /// let changes = host.sync(site, "www").ignore_files().await?;
    /// assert_eq!(changes.files()?, ["www/index.html"]);
    /// # Ok(()) }
    /// ```
    pub fn ignore_files(self) -> Self {
        Self(self.0.configure(|spec| spec.filter.uses_ignore_files = true))
    }

    /// Compares the contents of all files of equal size, also if the modification times are equal.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "new").unwrap();
    /// host.sync(&site, "www").await?;
    /// assert!(!host.sync(&site, "www").checksum().await?.any()?);
    /// # Ok(()) }
    /// ```
    pub fn checksum(self) -> Self {
        Self(self.0.configure(|spec| spec.by_checksum = true))
    }

    /// Reads each sent file back on the host, and compares its SHA-256 before any file is renamed.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "new").unwrap();
    /// assert!(host.sync(site, "www").verify().await?.any()?);
    /// # Ok(()) }
    /// ```
    pub fn verify(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).verifies = true))
    }

    /// Flushes all files to the disk of the host before the renames (`sync(1)`).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let site = dir.path().join("site");
    /// # std::fs::create_dir(&site).unwrap();
    /// # std::fs::write(site.join("index.html"), "new").unwrap();
    /// assert!(host.sync(site, "www").fsync().await?.any()?);
    /// # Ok(()) }
    /// ```
    pub fn fsync(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).flushes = true))
    }

    /// Sets the owner of all entries, by name or number. Most hosts allow this for root only.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let sync = web.sync("site", "/srv/site").owner("app").sudo();
    /// assert_eq!(format!("{sync:?}"), "SyncRequest(sync site -> /srv/site by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.owner = Some(Arc::from(user.into()))))
    }

    /// Sets the group of all entries, by name or number.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let sync = web.sync("site", "/srv/site").group("www-data").sudo();
    /// assert_eq!(format!("{sync:?}"), "SyncRequest(sync site -> /srv/site by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.group = Some(Arc::from(group.into()))))
    }

    /// Writes as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let sync = web.sync("site", "/srv/site").sudo();
    /// assert_eq!(format!("{sync:?}"), "SyncRequest(sync site -> /srv/site by sudo)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(SyncRequest => Changes, sync);

async fn sync(spec: Arc<SyncSpec>) -> Result<Changes> {
    let connection = &spec.context.connection;
    let (host, run) = connection.host_and_run(spec.context.location)?;
    tree::connect_in_background(connection, run);
    let described = Arc::clone(&spec);
    let tree = blocking(move || described.tree()).await.map_err(|error| spec.context.error(error));
    let operation = spec.describe();
    if planning::is_planned(&spec.context) {
        let compared = async {
            let tree = Arc::new(tree?);
            itemize(&spec, &tree, &operation).await?;
            let (context, wanted) = (&spec.context, &tree);
            let selector = BackendSelector { context, effect: Effect::Reads, operation: &operation };
            selector.run(|backend| tree::plan(wanted, backend)).await
        };
        let state = planning::plan(&spec.context, Side::Host, &operation, compared).await?;
        return Ok(Changes::new(&spec.context, host.clone(), operation, state));
    }
    let tree = Arc::new(tree?);
    itemize(&spec, &tree, &operation).await?;
    let selector = BackendSelector { context: &spec.context, effect: Effect::Changes, operation: &operation };
    let changes = selector.run(|backend| tree::put(&tree, backend)).await?;
    emit_transferred(connection, host, &operation, &changes.files, changes.removed.len());
    Ok(Changes::new(&spec.context, host.clone(), operation, changes))
}

/// Emits the itemized list of changed entries, if diffs are requested.
async fn itemize(spec: &SyncSpec, tree: &Arc<Tree>, operation: &str) -> Result<()> {
    let connection = &spec.context.connection;
    if connection.diff_mode() == DiffMode::Off {
        return Ok(());
    }
    let host = connection.host_and_run(spec.context.location)?.0;
    let selector = BackendSelector { context: &spec.context, effect: Effect::Reads, operation };
    let entries = selector.run(|backend| async move { backend.itemize(tree).await }).await?;
    let diff = FileDiff::Entries(entries);
    connection.sink().event(&Event::Diff { host, operation, path: &spec.to, diff: &diff });
    Ok(())
}

impl SyncSpec {
    fn describe(&self) -> String {
        let with = if self.deletes { " (with deletions)" } else { "" };
        let suffix = self.context.sudo_suffix();
        format!("sync {} -> {}{with}{suffix}", self.from.display(), self.to)
    }

    /// Lists the local directory and creates the jobs. This blocks.
    fn tree(&self) -> Result<Tree> {
        let from = expand_tilde(&self.from);
        if !from.is_dir() {
            let error = Error::new(ErrorKind::Local, format!("`{}` is not a local directory", self.from.display()));
            return Err(if from.exists() { error.hint("use `put` for a file") } else { error });
        }
        let root = self.root()?;
        let items = self.filter.items(&Source::Path(from.clone()), &TemplateVars::default())?;
        if self.deletes && items.is_empty() {
            let text =
                format!("`{}` is empty, and `delete` would remove all files in `{}`", self.from.display(), self.to);
            return Err(
                Error::new(ErrorKind::Usage, text).hint("use `.remove(path).recursive()` to remove a directory")
            );
        }
        let kept = Patterns::new(self.protects.iter().chain(&self.filter.excludes), "protected")?;
        let jobs = create_jobs(items, |item| self.job(&from, &root, item))?;
        let mode = TreeMode::Sync(SyncRules { deletes: self.deletes, kept, by_checksum: self.by_checksum });
        Ok(Tree {
            root,
            jobs,
            attributes: self.attributes.clone(),
            write_options: self.write_options.clone(),
            mode,
            operation: self.describe(),
        })
    }

    /// Returns the directory on the host, without a trailing `/`. With `delete`, the file system
    /// root and the home are errors.
    fn root(&self) -> Result<String> {
        let root = match self.to.trim_end_matches('/') {
            "" if self.to.starts_with('/') => "/",
            "" => ".",
            root => root,
        };
        let is_home = ["~", "."].contains(&root) && self.context.connection.directory().is_none();
        if self.deletes && (root == "/" || is_home) {
            let text = format!("refusing to delete files in `{}`", self.to);
            return Err(Error::new(ErrorKind::Usage, text).hint("set the target to a subdirectory"));
        }
        Ok(root.to_owned())
    }

    fn job(&self, from: &Path, root: &str, item: Item) -> Result<Job> {
        let below = item.below.clone().unwrap_or_default();
        let (fingerprint, mode) = match &item.content {
            ItemKind::File(content) => {
                let fingerprint = content.fingerprint()?;
                let mode = fingerprint.mode;
                (Some(fingerprint), mode)
            }
            ItemKind::Directory => (None, std::fs::metadata(from.join(&below)).ok().map(|meta| meta.mode() & 0o777)),
            ItemKind::Link(_) => (None, None),
        };
        let modified = fingerprint.as_ref().and_then(crate::transfer::file_fingerprint::FileFingerprint::modified);
        let attributes = Attributes { mode, modified, ..self.attributes.clone() };
        let target = Path::new(root).join(below).into();
        Ok(Job { item, fingerprint, target, attributes, write_options: self.write_options.clone(), description: None })
    }
}
