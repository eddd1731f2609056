//! [`Put`]: files on their way to a host.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{StreamExt, TryStreamExt};

use super::super::Connection;
use super::super::command::bound;
use super::by::By;
use super::job::{Attributes, Job, Place};
use super::lazy::Lazy;
use super::script::Undone;
use super::source::{Item, Source};
use super::way::Way;
use super::{AT_ONCE, Changes, blocking, difference, tell};
use crate::config::Diffs;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Effect, Permission};

/// The path of a file, with whether it was written.
type Written = (String, bool);

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
        let (attributes, preserves_mode) = (Attributes::default(), false);
        Self(Lazy::Made(Box::new(Spec { place, source, target, attributes, preserves_mode })))
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
    let source = spec.source.clone();
    if let (Some(secret), Some(client)) = (source.secret(), spec.place.connection.client()) {
        client.redact(secret);
    }
    let items = blocking(move || source.distinct_items()).await.map_err(|error| spec.place.error(error))?;
    let what = format!("put {:?} -> {}", spec.source, spec.target);
    let connection = &spec.place.connection;
    let host = bound(connection, spec.place.location)?.0;
    if connection.diffs() != Diffs::None {
        spec.tell_differences(&items, &what).await?;
    }
    let files = match connection.change(&spec.in_words(&items)) {
        Permission::Planned => None,
        Permission::Make => {
            let way = Way { place: &spec.place, effect: Effect::Changes, what: &what };
            let files = way.go(|by| spec.put_by(&items, by)).await?;
            tell(connection, host, &what, &files);
            Some(files)
        }
    };
    Ok(Changes::new(host.clone(), what, spec.place.location, files, connection.plan().clone()))
}

impl Spec {
    async fn tell_differences(&self, items: &[Item], what: &str) -> Result<()> {
        let jobs: Vec<_> = items.iter().map(|item| self.job(item)).collect();
        let jobs: Vec<_> = futures::stream::iter(jobs).buffered(AT_ONCE).try_collect().await?;
        difference::tell(&self.place, what, &jobs).await
    }

    async fn put_by(&self, items: &[Item], by: By) -> Result<Vec<Written>, Undone> {
        by.make_folders(&self.place, &self.folders(items), &self.making_folders()).await?;
        let each: Vec<_> = items.iter().map(|item| self.put_one(item, &by)).collect();
        futures::stream::iter(each).buffered(AT_ONCE).try_collect().await
    }

    fn put_one<'a>(&'a self, item: &'a Item, by: &'a By) -> BoxFuture<'a, Result<Written, Undone>> {
        async { by.put(&self.place, &self.job(item).await?).await }.boxed()
    }

    /// Returns what has to be done with one file.
    async fn job(&self, item: &Item) -> Result<Job> {
        let content = item.content.clone();
        let sum = blocking(move || content.sum()).await.map_err(|error| self.place.error(error))?;
        let target = match &item.below {
            Some(below) => format!("{}/{below}", self.target.trim_end_matches('/')),
            None => self.target.clone(),
        };
        if item.name.is_empty() && target.ends_with('/') {
            let error = Error::new(ErrorKind::Usage, format!("bytes have no name of their own for `{target}`"));
            return Err(self.place.error(error.hint("name the file")));
        }
        let mut attributes = self.attributes.clone();
        if self.preserves_mode {
            attributes.mode = item.content.mode().or(attributes.mode);
        }
        let what = self.what(item, &target);
        Ok(Job { item: item.clone(), sum, target, attributes, what })
    }

    /// Returns the folders that a folder or several files need; none for a single file, whose folder has to be there.
    fn folders(&self, items: &[Item]) -> Vec<String> {
        let target = self.target.trim_end_matches('/');
        let mut folders: Vec<String> = Vec::new();
        for item in items {
            let Some(below) = &item.below else { continue };
            let folder = match below.rsplit_once('/') {
                Some((folder, _)) => format!("{target}/{folder}"),
                None => target.to_owned(),
            };
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    fn making_folders(&self) -> String {
        format!("make the folder {}", self.target.trim_end_matches('/'))
    }

    /// Says in words what is done with all files.
    fn in_words(&self, items: &[Item]) -> String {
        let files = match items {
            [only] if only.below.is_none() => String::new(),
            items => format!("{} files", items.len()),
        };
        self.described(&format!("{:?}", self.source), &self.target, files)
    }

    /// Says in words what is done with one file.
    fn what(&self, item: &Item, target: &str) -> String {
        self.described(&item.shown, target, String::new())
    }

    fn described(&self, source: &str, target: &str, files: String) -> String {
        let Attributes { mode, owner, group } = &self.attributes;
        let details = [
            Some(files).filter(|files| !files.is_empty()),
            mode.map(|mode| format!("mode {mode:04o}")),
            (self.preserves_mode && mode.is_none()).then(|| "with its own mode".to_owned()),
            owner.as_ref().map(|owner| format!("owner {owner}")),
            group.as_ref().map(|group| format!("group {group}")),
        ];
        let details: Vec<_> = details.into_iter().flatten().collect();
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        let by = if self.place.elevated { " by sudo" } else { "" };
        format!("put {source} -> {target}{details}{by}")
    }
}
