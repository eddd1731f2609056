//! [`PutRequest`]: files on their way to a host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::backend::Backend;
use super::backend_selector::BackendSelector;
use super::changes::ChangedPaths;
use super::changes::Changes;
use super::deferred::{Deferred, impl_future};
use super::disk_work::blocking;
use super::file_error::has_no_folder;
use super::job::{Attributes, Job, Tree, TreeMode, WriteOptions, check_mode, create_jobs};
use super::planning::Side;
use super::source::Source;
use super::template_vars::TemplateVars;
use super::transfer_context::TransferContext;
use super::transfer_report::{FileOutcome, emit_transferred};
use super::walk::{Item, ItemKind, Selection};
use super::{diff, planning, tree};
use crate::config::DiffMode;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::files::backend_error::BackendError;
use crate::shell::IntoShellLine;
use crate::transport::Effect;

/// Files on their way to a host: a builder, and the future of what it [`Changes`].
///
/// Each file lands whole or not at all, and is not sent where its content is there already. See [`Connection::put`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended and leaves the old file and no other.
#[must_use = "nothing is put until it is awaited"]
#[derive(Debug)]
pub struct PutRequest(Deferred<Spec, Changes>);

struct Spec {
    context: TransferContext,
    source: Source,
    target: String,
    attributes: Attributes,
    write_options: Arc<WriteOptions>,
    preserves_mode: bool,
    selection: Selection,
}

impl fmt::Debug for Spec {
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
        // Nothing said is the directory of the connection, or the home.
        let target = if target.is_empty() { "./".to_owned() } else { target };
        let has_secret = source.secrets().next().is_some();
        let context = TransferContext { has_secret, ..TransferContext::of_transfer(connection, location) };
        Self(Deferred::Described(Box::new(Spec {
            context,
            source,
            target,
            attributes: Attributes::default(),
            write_options: Arc::default(),
            preserves_mode: false,
            selection: Selection::default(),
        })))
    }

    /// Gives the files this mode: `0o644`. By default one that is replaced keeps its own, and a new one has `0o644`, or `0o755`
    /// where it can be run here; of a secret `0o600`.
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.configure(|spec| spec.attributes.mode = Some(mode)))
    }

    /// Gives each file the mode that it has here.
    pub fn preserve_mode(self) -> Self {
        Self(self.0.configure(|spec| spec.preserves_mode = true))
    }

    /// Gives the files to this user, by name or number: for who may do that.
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.owner = Some(Arc::from(user.into()))))
    }

    /// Gives the files to this group, by name or number.
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.attributes.group = Some(Arc::from(group.into()))))
    }

    /// Reads each file back on the host and compares its SHA-256, before it takes its place.
    ///
    /// That a connection changes nothing is what SSH is for; this finds what a disk or a memory does.
    pub fn verify(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).verifies = true))
    }

    /// Has each file be on the host's disk before it takes its place: so it is there, old or new, also when the host loses its
    /// power (`fsync(2)`).
    pub fn fsync(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).flushes = true))
    }

    /// Writes into the file that is there, rather than putting another into its place: it stays the same file to its hard
    /// links, its ACL and whoever has mounted it, and its folder need not be writable.
    ///
    /// This takes more than one step: who reads meanwhile sees half of it, and a host that fails then leaves that.
    pub fn in_place(self) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).in_place = true))
    }

    /// Validates each file on the host before it replaces the old one: `.validate("visudo -cf %s")`.
    ///
    /// `%s` is the path of the new file, in another folder and under its own name. The path is an argument of the shell, so it
    /// needs no quotes. If the line fails, the old file stays, and the error has the last line of the output.
    ///
    /// A line without `%s`, or with `%s` within quotes, is an [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub fn validate(self, line: impl IntoShellLine) -> Self {
        let line = line.into_shell_line();
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).validation = Some(line)))
    }

    /// Keeps a copy of each file that is replaced, under its name and this: `.backup(".bak")`.
    pub fn backup(self, suffix: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| Arc::make_mut(&mut spec.write_options).backup = Some(suffix.into())))
    }

    /// Leaves out what matches this pattern: by its name, or, with a `/` in the pattern, by its path below the source.
    ///
    /// `put("src", "app").exclude("*.pyc").exclude("tests/data/**")`
    pub fn exclude(self, pattern: impl Into<String>) -> Self {
        Self(self.0.configure(|spec| spec.selection.excludes.push(pattern.into())))
    }

    /// Leaves out what the `.gitignore` and `.ignore` files say that are in the source and above it.
    pub fn ignore_files(self) -> Self {
        Self(self.0.configure(|spec| spec.selection.honours_ignore_files = true))
    }

    /// Writes them as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(PutRequest => Changes, put);

async fn put(spec: Arc<Spec>) -> Result<Changes> {
    let (_, run) = spec.context.connection.host_and_run(spec.context.location)?;
    spec.source.secrets().for_each(|secret| run.add_secret(secret));
    tree::connect_meanwhile(&spec.context.connection, run);
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
            let work = Work::new(&spec, jobs);
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
    let work = Work::new(&spec, jobs);
    let files = selector.run(|backend| work.put_by(&spec.context, backend)).await?;
    emit_transferred(connection, host, &operation, &files, 0);
    Ok(Changes::new(&spec.context, host.clone(), operation, files))
}

/// What there is to put.
enum Work {
    /// One file, to a place of its own or into a folder.
    File(Box<Job>),
    /// All that goes below a folder.
    Tree(Arc<Tree>),
}

impl Work {
    fn new(spec: &Spec, mut jobs: Vec<Job>) -> Self {
        match (jobs.pop(), jobs.is_empty()) {
            (Some(only), true) if only.item.below.is_none() => Self::File(Box::new(only)),
            (last, _) => {
                jobs.extend(last);
                let operation = format!("put {:?} -> {}", spec.source, spec.target);
                let attributes = spec.attributes.clone();
                Self::Tree(Arc::new(Tree {
                    root: spec.root(),
                    jobs,
                    attributes,
                    write_options: spec.write_options.clone(),
                    mode: TreeMode::Put,
                    operation,
                }))
            }
        }
    }

    async fn plan_by(&self, context: &TransferContext, backend: Backend) -> Result<ChangedPaths, BackendError> {
        match self {
            Self::File(job) => match backend.plan(context, job).await {
                Err(BackendError::Failed(error)) if has_no_folder(&error) => {
                    if context.connection.planned() == 0 {
                        let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                        context
                            .warn(&format!("{}: {why}, and no change planned before makes it", job.operation(context)));
                    }
                    Ok(vec![(job.shown(), true)].into())
                }
                planned => Ok(vec![planned?].into()),
            },
            Self::Tree(tree) => tree::plan(context, tree, backend).await,
        }
    }

    async fn put_by(&self, context: &TransferContext, backend: Backend) -> Result<Vec<FileOutcome>, BackendError> {
        match self {
            Self::File(job) => Ok(vec![backend.put(context, job).await?]),
            Self::Tree(tree) => Ok(tree::put(context, tree, backend).await?.files),
        }
    }
}

impl Spec {
    /// Returns the folder that is given to the target.
    fn root(&self) -> String {
        match self.target.trim_end_matches('/') {
            "" => "/".to_owned(),
            root => root.to_owned(),
        }
    }

    /// Looks at all that is to be put, on a blocking thread.
    fn jobs(&self) -> Result<Vec<Job>> {
        self.write_options.check()?;
        check_mode(self.attributes.mode)?;
        let items = self.selection.items(&self.source, &self.template_vars()?)?;
        create_jobs(items, |item| self.job(item))
    }

    /// Returns what a template may know of its host.
    fn template_vars(&self) -> Result<TemplateVars> {
        let connection = &self.context.connection;
        let vars: BTreeMap<String, serde_json::Value> = connection.vars()?;
        let host = connection.host().map(|host| host.label().to_string()).unwrap_or_default();
        let of_file = vars.iter().map(|(name, value)| (name.as_str(), value.clone()));
        Ok(TemplateVars::new([("host", host.into())].into_iter().chain(of_file)))
    }

    /// Returns what has to be done with one entry.
    fn job(&self, item: Item) -> Result<Job> {
        let fingerprint = match &item.content {
            ItemKind::File(content) => Some(content.fingerprint()?),
            ItemKind::Folder | ItemKind::Link(_) => None,
        };
        let target: OsString = match &item.below {
            Some(below) => Path::new(&self.root()).join(below).into(),
            None => self.target.clone().into(),
        };
        if item.below.is_none() && item.name().is_empty() && self.target.ends_with('/') {
            let error = Error::new(ErrorKind::Usage, format!("bytes have no name of their own for `{}`", self.target));
            return Err(error.hint("name the file"));
        }
        let mut attributes = self.attributes.clone();
        if fingerprint.is_none() {
            // What is said of files is not said of folders, which could not be looked into any more.
            attributes.mode = None;
        }
        if self.preserves_mode {
            attributes.mode = fingerprint.as_ref().and_then(|fingerprint| fingerprint.mode).or(attributes.mode);
        }
        Ok(Job { item, fingerprint, target, attributes, write_options: self.write_options.clone(), called: None })
    }

    /// Says in words what is done with all files.
    fn describe(&self) -> String {
        let preserved = self.preserves_mode.then(|| "with its own mode".to_owned());
        self.attributes.described(&format!("{:?}", self.source), &self.target, [preserved], self.context.elevated)
    }
}
