//! [`Put`]: files on their way to a host.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::super::{Connection, Hide};
use super::lazy::Lazy;
use super::source::{Item, Source, Sum};
use super::{AT_ONCE, Changes, failed, script};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;
use crate::shell::ShellLine;
use crate::transport::Effect;

/// How many folders are made by one command.
const FOLDERS_AT_ONCE: usize = 200;
/// How many pieces of a file may wait for the network.
const WAITING: usize = 4;

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
    connection: Connection,
    source: Source,
    target: String,
    attributes: script::Attributes,
    preserves_mode: bool,
    elevated: bool,
    location: &'static Location<'static>,
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
        let attributes = script::Attributes::default();
        // Nothing said is the directory of the connection, or the home.
        let target = if target.is_empty() { "./".to_owned() } else { target };
        Self(Lazy::Made(Box::new(Spec {
            connection,
            source,
            target,
            attributes,
            preserves_mode: false,
            elevated: false,
            location,
        })))
    }

    /// Gives the files this mode: `0o644`. By default one that is replaced keeps its own, and a new one has `0o644`.
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
        Self(self.0.changed(|spec| spec.elevated = true))
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
    let items = blocking(move || source.distinct_items()).await.map_err(|error| spec.error(error))?;
    spec.make_folders(&items).await?;
    let of_items: Vec<_> = items.into_iter().map(|item| Arc::clone(&spec).put_one(item)).collect();
    let files: Vec<Option<(String, bool)>> = futures::stream::iter(of_items).buffered(AT_ONCE).try_collect().await?;
    let host = spec.connection.host().cloned().unwrap_or_else(Host::local);
    let what = format!("put {:?} -> {}", spec.source, spec.target);
    let files: Option<Vec<_>> = files.into_iter().collect();
    tell(&spec.connection, &host, &what, files.as_deref());
    Ok(Changes::new(host, what, spec.location, files, spec.connection.plan().clone()))
}

/// Tells how many files were written; nothing of a plan, which was told already.
pub(super) fn tell(connection: &Connection, host: &Host, what: &str, files: Option<&[(String, bool)]>) {
    if let Some(files) = files {
        let changed = files.iter().filter(|(_, changed)| *changed).count();
        connection.sink().event(&Event::Transferred { host, what, changed, files: files.len() });
    }
}

impl Spec {
    /// Puts one file, and returns its path with whether it was written; nothing where it was only planned.
    fn put_one(self: Arc<Self>, item: Item) -> BoxFuture<'static, Result<Option<(String, bool)>>> {
        async move {
            let content = item.content.clone();
            let sum = blocking(move || content.sum()).await.map_err(|error| self.error(error))?;
            let (target, name) = match &item.below {
                Some(below) => (format!("{}/{below}", self.target.trim_end_matches('/')), item.name.as_str()),
                None => (self.target.clone(), item.name.as_str()),
            };
            if name.is_empty() && target.ends_with('/') {
                let error = Error::new(ErrorKind::Usage, format!("bytes have no name of their own for `{target}`"));
                return Err(self.error(error.hint("name the file")));
            }
            let mut attributes = self.attributes.clone();
            if self.preserves_mode {
                attributes.mode = item.content.mode().or(attributes.mode);
            }
            let what = self.what(&item, &target);
            let line = script::put(&target, name, &sum, &attributes);
            let line = line.map_err(|source| {
                self.error(Error::new(ErrorKind::Usage, format!("`{target}` can't be sent")).caused_by(source))
            })?;
            let (sender, pieces) = mpsc::channel(WAITING);
            let command = self.connection.only_placed().command(ShellLine::raw(line), Effect::Changes, self.location);
            let command = command.called(&what).on_cue(script::SEND, pieces).hide(Hide::Both);
            let command = if self.elevated { command.sudo() } else { command };
            let (output, sent) = tokio::join!(command, send(item.content.clone(), sum, sender));
            let output = match (output, sent) {
                // That the host found it too short says less than why.
                (Err(_), Err(error)) => return Err(self.error(error)),
                (Err(error), Ok(())) => return Err(failed(format!("could not {what}"), &error)),
                (Ok(output), _) => output,
            };
            if output.is_planned() {
                return Ok(None);
            }
            // The path behind it may have line ends of its own.
            let said = output.stdout()?;
            let said_last = |mark: &str| said.rfind(mark).map(|at| said.get(at + mark.len()..).unwrap_or_default());
            let path = |rest: &str| rest.strip_suffix('\n').unwrap_or(rest).to_owned();
            match (said_last(script::DONE), said_last(script::SAME)) {
                (Some(rest), _) => Ok(Some((path(rest), true))),
                (None, Some(rest)) => Ok(Some((path(rest), false))),
                (None, None) => Err(self.error(Error::new(ErrorKind::File, format!("could not {what}")))),
            }
        }
        .boxed()
    }

    /// Makes the folders that a folder or several files need; none for a single file, whose folder has to be there.
    async fn make_folders(&self, items: &[Item]) -> Result<()> {
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
        // One argument of a program has a limit, and the line is one.
        for some in folders.chunks(FOLDERS_AT_ONCE) {
            let line = script::folders(some).map_err(|source| {
                self.error(Error::new(ErrorKind::Usage, format!("`{target}` can't be sent")).caused_by(source))
            })?;
            let what = format!("make the folder {target}");
            let command = self.connection.only_placed().command(ShellLine::raw(line), Effect::Changes, self.location);
            let command = command.called(&what).hide(Hide::Both);
            let command = if self.elevated { command.sudo() } else { command };
            command.await.map(drop).map_err(|error| failed(format!("could not {what}"), &error))?;
        }
        Ok(())
    }

    /// Says in words what is done with a file.
    fn what(&self, item: &Item, target: &str) -> String {
        let mode = self.attributes.mode.map(|mode| format!(" (mode {mode:04o})")).unwrap_or_default();
        let by = if self.elevated { " by sudo" } else { "" };
        format!("put {} -> {target}{mode}{by}", item.shown)
    }

    fn error(&self, error: Error) -> Error {
        error.or_on(self.connection.host()).at(self.location)
    }
}

/// Sends a content to whoever takes it.
async fn send(content: Source, sum: Sum, to: mpsc::Sender<Bytes>) -> Result<()> {
    blocking(move || content.send(&sum, &to)).await
}

/// Runs what waits for a disk on a thread where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::new(ErrorKind::Internal, "reading a file panicked").caused_by(source)),
    }
}
