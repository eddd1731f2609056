//! [`Put`]: files on their way to a host.

use std::ffi::OsString;
use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::FutureExt;
use futures::stream::{StreamExt, TryStreamExt};

use super::super::Connection;
use super::super::command::bound;
use super::by::By;
use super::job::{Attributes, Job, Place, Tree};
use super::lazy::Lazy;
use super::script::Undone;
use super::source::Source;
use super::walk::{Content, Item, Selection};
use super::way::Way;
use super::{AT_ONCE, Changes, Written, blocking, difference, tell};
use crate::client::Client;
use crate::config::Diffs;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Effect, Level, Permission};

/// Files on their way to a host: a builder, and the future of what it [`Changes`].
///
/// Each file lands whole or not at all, and is not sent where its content is there already. See [`Connection::put`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended and leaves the old file and no other.
#[must_use = "nothing is put until it is awaited"]
#[derive(Debug)]
pub struct Put(Lazy<Spec, Changes>);

struct Spec {
    place: Place,
    source: Source,
    target: String,
    attributes: Attributes,
    preserves_mode: bool,
    selection: Selection,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} -> {}", self.source, self.target)
    }
}

impl Put {
    pub(in crate::connection) fn new(
        connection: Connection,
        source: Source,
        target: String,
        location: &'static Location<'static>,
    ) -> Self {
        // Nothing said is the directory of the connection, or the home.
        let target = if target.is_empty() { "./".to_owned() } else { target };
        let place = Place { connection, elevated: false, location };
        let (attributes, selection) = (Attributes::default(), Selection::default());
        Self(Lazy::Made(Box::new(Spec { place, source, target, attributes, preserves_mode: false, selection })))
    }

    /// Gives the files this mode: `0o644`. By default one that is replaced keeps its own, and a new one has `0o644`; of a
    /// secret `0o600`.
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.changed(|spec| spec.attributes.mode = Some(mode)))
    }

    /// Gives each file the mode that it has here.
    pub fn preserve_mode(self) -> Self {
        Self(self.0.changed(|spec| spec.preserves_mode = true))
    }

    /// Gives the files to this user, by name or number: for who may do that.
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.attributes.owner = Some(user.into())))
    }

    /// Gives the files to this group, by name or number.
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.attributes.group = Some(group.into())))
    }

    /// Leaves out what matches this pattern: by its name, or, with a `/` in the pattern, by its path below the source.
    ///
    /// `put("src", "app").exclude("*.pyc").exclude("tests/data/**")`
    pub fn exclude(self, pattern: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.selection.excludes.push(pattern.into())))
    }

    /// Leaves out what the `.gitignore` and `.ignore` files say that are in the source and above it.
    pub fn ignore_files(self) -> Self {
        Self(self.0.changed(|spec| spec.selection.honours_ignore_files = true))
    }

    /// Writes them as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

impl Future for Put {
    type Output = Result<Changes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, |spec| put(Arc::from(spec)).boxed())
    }
}

async fn put(spec: Arc<Spec>) -> Result<Changes> {
    let (_, client) = bound(&spec.place.connection, spec.place.location)?;
    spec.source.secrets().for_each(|secret| client.redact(secret));
    connect_meanwhile(&spec.place.connection, client);
    let described = Arc::clone(&spec);
    let jobs = blocking(move || described.jobs()).await.map_err(|error| spec.place.error(error))?;
    let connection = &spec.place.connection;
    let host = bound(connection, spec.place.location)?.0;
    let what = format!("put {:?} -> {}", spec.source, spec.target);
    if connection.diffs() != Diffs::None {
        difference::tell(&spec.place, &what, &jobs).await?;
    }
    let files = match connection.change(&spec.in_words(&jobs)) {
        Permission::Planned => None,
        Permission::Make => {
            let way = Way { place: &spec.place, effect: Effect::Changes, what: &what };
            let work = Work::new(&spec, jobs);
            let files = way.go(|by| work.put_by(&spec.place, by)).await?;
            tell(connection, host, &what, &files);
            Some(files)
        }
    };
    Ok(Changes::new(host.clone(), what, spec.place.location, files, connection.plan().clone()))
}

/// Connects while the files are looked at; why that fails is told by what needs it.
fn connect_meanwhile(connection: &Connection, client: &Client) {
    if connection.permission() == Permission::Make {
        let (connection, stop) = (connection.clone(), client.stop().clone());
        client.tasks().spawn(async move {
            tokio::select! {
                _ = stop.above(Level::Run) => {}
                _ = connection.connect() => {}
            }
        });
    }
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
                let what = format!("put {:?} -> {}", spec.source, spec.target);
                Self::Tree(Arc::new(Tree { root: spec.root(), jobs, attributes: spec.attributes.clone(), what }))
            }
        }
    }

    async fn put_by(&self, place: &Place, by: By) -> Result<Vec<Written>, Undone> {
        let tree = match self {
            Self::File(job) => return Ok(vec![by.put(place, job).await?]),
            Self::Tree(tree) => tree,
        };
        let done = by.put_tree(place, tree).await?;
        let left = tree.jobs.iter().zip(&done).filter(|(_, done)| done.is_none()).map(|(job, _)| job);
        let written = put_each(place, tree, &by, left).await?;
        let mut written = written.into_iter();
        let all = tree.jobs.iter().zip(done).filter_map(|(job, done)| match done {
            Some(done) => Some((job.shown(), done)),
            None => written.next(),
        });
        // A folder that is there as it was is nothing to tell of, and one with a file in it neither.
        let named =
            tree.jobs.iter().zip(all).filter(|(job, (_, done))| !job.is_folder() || *done && tree.is_empty(job));
        Ok(named.map(|(_, written)| written).collect())
    }
}

/// Puts entries one by one, some at a time: the folders first.
async fn put_each<'a>(
    place: &Place,
    tree: &Tree,
    by: &By,
    jobs: impl Iterator<Item = &'a Job>,
) -> Result<Vec<Written>, Undone> {
    let jobs: Vec<_> = jobs.collect();
    by.make_folders(place, &tree.folders(&jobs), &format!("make the folder {}", tree.root)).await?;
    let mut written = vec![None; jobs.len()];
    // They come in the order of their names, and so does what is in a folder after it.
    for (job, place_of) in jobs.iter().zip(&mut written).filter(|(job, _)| job.is_folder()) {
        *place_of = Some(by.put(place, job).await?);
    }
    let others = jobs.iter().zip(&mut written).filter(|(job, _)| !job.is_folder());
    let each: Vec<_> = others
        .map(|(job, place_of)| async { by.put(place, job).await.map(|put| *place_of = Some(put)) }.boxed())
        .collect();
    futures::stream::iter(each).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(written.into_iter().flatten().collect())
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
        let items = self.selection.items(&self.source)?;
        items.into_iter().map(|item| self.job(item)).collect()
    }

    /// Returns what has to be done with one entry.
    fn job(&self, item: Item) -> Result<Job> {
        let stamp = match &item.content {
            Content::File(content) => Some(content.stamp()?),
            Content::Folder | Content::Link(_) => None,
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
        if self.preserves_mode {
            attributes.mode = stamp.as_ref().and_then(|stamp| stamp.mode).or(attributes.mode);
        }
        Ok(Job { item, stamp, target, attributes })
    }

    /// Says in words what is done with all files.
    fn in_words(&self, jobs: &[Job]) -> String {
        let files = match jobs {
            [only] if only.item.below.is_none() => String::new(),
            jobs => format!("{} files", jobs.iter().filter(|job| !job.is_folder()).count()),
        };
        let preserved = self.preserves_mode.then(|| "with its own mode".to_owned());
        let details = [Some(files).filter(|files| !files.is_empty()), preserved];
        self.attributes.described(&format!("{:?}", self.source), &self.target, details, self.place.elevated)
    }
}
