//! [`PutRequest`]: an upload of files to a host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::changes::Changes;
use super::deferred::{Deferred, impl_future};
use super::planning::Side;
use super::upload_work::UploadWork;
use super::{diff, planning, tree};
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::file_backend::backend_selector::BackendSelector;
use crate::shell::IntoShellLine;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::blocking;
use crate::transfer::job::{Attributes, Job, Tree, TreeMode, WriteOptions, check_mode, create_jobs};
use crate::transfer::report::emit_transferred;
use crate::transfer::source::Source;
use crate::transfer::template_vars::TemplateVars;
use crate::transfer::walk::{Item, ItemKind, SourceFilter};
use crate::transport::Effect;

/// An upload of files to a host: an awaitable builder. The output is [`Changes`].
///
/// Each file is written atomically, and equal files are not sent. See [`Connection::put`].
///
/// # Cancel safety
///
/// Dropping the future ends the upload. Each target is the complete old file or the complete new
/// file, and no temporary file is left.
#[must_use = "nothing is uploaded until the request is awaited"]
#[derive(Debug)]
pub struct PutRequest(Deferred<PutSpec, Changes>);

struct PutSpec {
    context: TransferContext,
    source: Source,
    target: String,
    attributes: Attributes,
    write_options: Arc<WriteOptions>,
    preserves_mode: bool,
    filter: SourceFilter,
}

impl fmt::Debug for PutSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} -> {}", self.source, self.target)
    }
}

impl PutRequest {
    pub(super) fn new(
        connection: Connection,
        source: Source,
        target: String,
        location: &'static Location<'static>,
    ) -> Self {
        // An empty target is the directory of the connection, or the home.
        let target = if target.is_empty() { "./".to_owned() } else { target };
        let has_secret = source.secrets().next().is_some();
        let context = TransferContext { has_secret, ..TransferContext::for_transfer(connection, location) };
        Self(Deferred::Described(Box::new(PutSpec {
            context,
            source,
            target,
            attributes: Attributes::default(),
            write_options: Arc::default(),
            preserves_mode: false,
            filter: SourceFilter::default(),
        })))
    }

    /// Sets the mode of the files, such as `0o644`.
    ///
    /// By default, a replaced file keeps its mode. A new file has `0644`, or `0755` if the local
    /// file is executable, or `0600` for a secret.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.put(b"exit 0\n", "deploy.sh").mode(0o750).await?;
    /// assert_eq!(host.stat("deploy.sh").await?.unwrap().mode(), 0o750);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "chmod")]
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.configure(|spec| spec.attributes.mode = Some(mode)))
    }

    /// Gives each file the mode of the local file.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # use std::os::unix::fs::PermissionsExt;
    /// # let source = dir.path().join("source");
    /// # std::fs::write(&source, "x").unwrap();
    /// # std::fs::set_permissions(&source, PermissionsExt::from_mode(0o640)).unwrap();
    /// host.put(&source, "target").preserve_mode().await?;
    /// assert_eq!(host.stat("target").await?.unwrap().mode(), 0o640);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "mirror_local_mode")]
    pub fn preserve_mode(self) -> Self {
        Self(self.0.configure(|spec| spec.preserves_mode = true))
    }

    /// Sets the owner of the files, by name or number. Most hosts allow this for root only.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.put("conf/app.env", "/etc/app.env").owner("app").sudo();
    /// assert_eq!(format!("{upload:?}"), "PutRequest(conf/app.env -> /etc/app.env)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    #[doc(alias = "chown")]
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.owner = Some(Arc::from(user.into()))))
    }

    /// Sets the group of the files, by name or number.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.put("conf/app.env", "/etc/app.env").group("www-data").sudo();
    /// assert_eq!(format!("{upload:?}"), "PutRequest(conf/app.env -> /etc/app.env)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    #[doc(alias = "chgrp")]
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.group = Some(Arc::from(group.into()))))
    }

    /// Reads each file back on the host, and compares its SHA-256 before the rename.
    ///
    /// SSH already protects the content on the network. This option detects faults of disks and
    /// memory.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// assert!(host.put(b"PORT=80\n", "app.env").verify().await?.any()?);
    /// # Ok(()) }
    /// ```
    pub fn verify(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).verifies = true))
    }

    /// Flushes each file to the disk of the host before the rename (`fsync(2)`). After a power
    /// failure, the target is the old file or the new file.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// assert!(host.put(b"PORT=80\n", "app.env").fsync().await?.any()?);
    /// # Ok(()) }
    /// ```
    pub fn fsync(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).flushes = true))
    }

    /// Overwrites the existing file instead of renaming a new file to the target. Hard links, ACLs
    /// and bind mounts of the file stay valid, and the directory need not be writable.
    ///
    /// Not atomic: concurrent readers may see a partial file, and a crash may leave one.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.put(b"old", "app.env").await?;
    /// # std::fs::hard_link(dir.path().join("app.env"), dir.path().join("link")).unwrap();
    /// host.put(b"new", "app.env").in_place().await?;
    /// assert_eq!(host.read("link").await?, "new");
    /// # Ok(()) }
    /// ```
    pub fn in_place(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).in_place = true))
    }

    /// Validates each file on the host before the file replaces the old one.
    ///
    /// `%s` is the path of the new file, in a temporary directory and under its own name. The path
    /// is passed as an argument of the shell, so `%s` needs no quotes. If the line fails, the old
    /// file stays, and the error shows the last lines of the output. Unchanged files are not
    /// validated.
    ///
    /// For a command that accepts no path of a single file, see
    /// [`validate_live`](Self::validate_live).
    ///
    /// A line without `%s`, or with `%s` within quotes, is an error of kind
    /// [`Usage`](crate::ErrorKind::Usage).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.put(b"echo ok\n", "deploy.sh").await?;
    /// let broken = host.put(b"if\n", "deploy.sh").validate("sh -n %s").await;
    /// assert!(broken.is_err());
    /// assert_eq!(host.read("deploy.sh").await?, "echo ok\n");
    /// # Ok(()) }
    /// ```
    pub fn validate(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).validation = Some(line)))
    }

    /// Validates each file at its target, and restores the old file if the line fails.
    ///
    /// Use this for commands that check a whole configuration, such as `nginx -t` for a file in
    /// `conf.d`. `%s` stands for the path of the target, and is optional. If the line fails, fabrs
    /// restores the old file with its mode, owner and ACL, and removes a new file. The error shows
    /// the last lines of the output. Unchanged files are not validated. A dry run does not run the
    /// line.
    ///
    /// Until the line ends, other programs can read the new file. Several files are validated
    /// separately. For a check before the file is in use, see [`validate`](Self::validate). You can
    /// use both.
    ///
    /// # Interruptions
    ///
    /// One script on the host uploads, validates and restores. A stop of the run restores the old
    /// file. After a lost connection, the script completes its work or restores the old file. Only
    /// a `kill -9` of the script or a crash of the host can leave an invalid file. The old file is
    /// then in a directory `.fabrs.*` beside the target, and the next run does not validate the
    /// unchanged file.
    ///
    /// # Errors
    ///
    /// [`Usage`](crate::ErrorKind::Usage) for a line with `%s` within quotes, and together with
    /// [`in_place`](Self::in_place).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.put(b"echo ok\n", "deploy.sh").await?;
    /// let broken = host.put(b"if\n", "deploy.sh").validate_live("sh -n %s").await;
    /// assert!(broken.is_err());
    /// assert_eq!(host.read("deploy.sh").await?, "echo ok\n");
    /// # Ok(()) }
    /// ```
    #[doc(alias = "validate_in_place")]
    pub fn validate_live(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).live_validation = Some(line)))
    }

    /// Keeps each replaced file as a backup, under its name with `suffix` appended.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.put(b"old", "app.env").await?;
    /// host.put(b"new", "app.env").backup(".bak").await?;
    /// assert_eq!(host.read("app.env.bak").await?, "old");
    /// # Ok(()) }
    /// ```
    pub fn backup(self, suffix: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).backup = Some(suffix.into())))
    }

    /// Excludes files by a glob pattern, as in git and rsync. A pattern with a `/` at the start or
    /// inside matches the path below the source: `/build` matches only the entry of the source
    /// itself. Any other pattern matches the file name at any depth.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let src = dir.path().join("src");
    /// # std::fs::create_dir(&src).unwrap();
    /// # std::fs::write(src.join("app.py"), "").unwrap();
    /// # std::fs::write(src.join("app.pyc"), "").unwrap();
    /// let changes = host.put(src, "app").exclude("*.pyc").exclude("tests/data/**").await?;
    /// assert_eq!(changes.files()?, ["app/app.py"]);
    /// # Ok(()) }
    /// ```
    pub fn exclude(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.filter.excludes.push(pattern.into())))
    }

    /// Excludes files as listed in `.gitignore` and `.ignore`, in the source and in the directories
    /// above the source.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let src = dir.path().join("src");
    /// # std::fs::create_dir(&src).unwrap();
    /// # std::fs::write(src.join("app.py"), "").unwrap();
    /// # std::fs::write(src.join("app.log"), "").unwrap();
    /// # std::fs::write(src.join(".gitignore"), "*.log\n.gitignore\n").unwrap();
    /// let changes = host.put(src, "app").ignore_files().await?;
    /// assert_eq!(changes.files()?, ["app/app.py"]);
    /// # Ok(()) }
    /// ```
    pub fn ignore_files(self) -> Self {
        Self(self.0.configure(|spec| spec.filter.uses_ignore_files = true))
    }

    /// Writes the files as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.put("conf/motd", "/etc/motd").sudo();
    /// assert_eq!(format!("{upload:?}"), "PutRequest(conf/motd -> /etc/motd)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    #[doc(alias = "use_sudo")]
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(PutRequest => Changes, put);

async fn put(spec: Arc<PutSpec>) -> Result<Changes> {
    let (_, run) = spec.context.connection.host_and_run(spec.context.location)?;
    spec.source.secrets().for_each(|secret| run.add_secret(secret));
    tree::connect_in_background(&spec.context.connection, run);
    let described = Arc::clone(&spec);
    let jobs = blocking(move || described.jobs()).await.map_err(|error| spec.context.error(error));
    let connection = &spec.context.connection;
    let host = connection.host_and_run(spec.context.location)?.0;
    let operation = format!("put {:?} -> {}", spec.source, spec.target);
    if planning::is_planned(&spec.context) {
        let words = spec.describe();
        let compared = async {
            let jobs = jobs?;
            if connection.diff_mode() != DiffMode::Off {
                diff::report(&spec.context, &operation, &jobs).await?;
            }
            let selector = BackendSelector { context: &spec.context, effect: Effect::Reads, operation: &operation };
            let work = UploadWork::new(jobs, |jobs| spec.tree(jobs));
            selector.run(|backend| work.plan_by(&spec.context, backend)).await
        };
        let state = planning::plan(&spec.context, Side::Host, &words, compared).await?;
        return Ok(Changes::new(&spec.context, host.clone(), operation, state));
    }
    let jobs = jobs?;
    if connection.diff_mode() != DiffMode::Off {
        diff::report(&spec.context, &operation, &jobs).await?;
    }
    let selector = BackendSelector { context: &spec.context, effect: Effect::Changes, operation: &operation };
    let work = UploadWork::new(jobs, |jobs| spec.tree(jobs));
    let files = selector.run(|backend| work.put_by(backend)).await?;
    emit_transferred(connection, host, &operation, &files, 0);
    Ok(Changes::new(&spec.context, host.clone(), operation, files))
}

impl PutSpec {
    /// Returns the directory on the host, without a trailing `/`.
    fn root(&self) -> String {
        match self.target.trim_end_matches('/') {
            "" => "/".to_owned(),
            root => root.to_owned(),
        }
    }

    /// Returns the upload of several entries.
    fn tree(&self, jobs: Vec<Job>) -> Tree {
        Tree {
            root: self.root(),
            jobs,
            attributes: self.attributes.clone(),
            write_options: self.write_options.clone(),
            mode: TreeMode::Put,
            operation: format!("put {:?} -> {}", self.source, self.target),
        }
    }

    /// Lists the local files and creates the jobs. This blocks.
    fn jobs(&self) -> Result<Vec<Job>> {
        self.write_options.check()?;
        check_mode(self.attributes.mode)?;
        let items = self.filter.items(&self.source, &self.template_vars()?)?;
        create_jobs(items, |item| self.job(item))
    }

    /// Returns the variables of the host for templates.
    fn template_vars(&self) -> Result<TemplateVars> {
        let connection = &self.context.connection;
        let vars: BTreeMap<String, serde_json::Value> = connection.vars()?;
        let host = connection.host().map(|host| host.label().to_string()).unwrap_or_default();
        let of_file = vars.iter().map(|(name, value)| (name.as_str(), value.clone()));
        Ok(TemplateVars::new([("host", host.into())].into_iter().chain(of_file)))
    }

    /// Creates the job of one entry.
    fn job(&self, item: Item) -> Result<Job> {
        let fingerprint = match &item.content {
            ItemKind::File(content) => Some(content.fingerprint()?),
            ItemKind::Directory | ItemKind::Link(_) => None,
        };
        let target: OsString = match &item.below {
            Some(below) => Path::new(&self.root()).join(below).into(),
            None => self.target.clone().into(),
        };
        if item.below.is_none() && item.name().is_empty() && self.target.ends_with('/') {
            let error = Error::new(ErrorKind::Usage, format!("missing file name in `{}`", self.target));
            return Err(error.hint("add a file name to the target"));
        }
        let mut attributes = self.attributes.clone();
        if fingerprint.is_none() {
            // A mode for files does not apply to directories: without its `x` bits, a directory
            // can't be entered.
            attributes.mode = None;
        }
        if self.preserves_mode {
            attributes.mode = fingerprint.as_ref().and_then(|fingerprint| fingerprint.mode).or(attributes.mode);
        }
        Ok(Job { item, fingerprint, target, attributes, write_options: self.write_options.clone(), description: None })
    }

    /// Returns the description of the whole upload.
    fn describe(&self) -> String {
        let preserved = self.preserves_mode.then(|| "with the local mode".to_owned());
        self.attributes.described(&format!("{:?}", self.source), &self.target, [preserved], self.context.elevated)
    }
}
