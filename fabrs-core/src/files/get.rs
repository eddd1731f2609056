//! [`Get`]: files on their way from a host.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use futures::stream::{StreamExt, TryStreamExt};

use super::arrival::Arrival;
use super::backend::Backend;
use super::backend_choice::Way;
use super::blob::PIECE;
use super::changes::Changes;
use super::changes::Made;
use super::deferred::{Deferred, awaited};
use super::disk_work::{AT_ONCE, blocking, blocking_while};
use super::entry::{Entry, EntryKind};
use super::file_error::is_a_folder;
use super::gauge::Gauge;
use super::job::check_mode;
use super::local_file::write_link;
use super::local_path::LocalPath;
use super::place::Place;
use super::places::{EVERYWHERE, Places, base_name};
use super::planning;
use super::planning::Side;
use super::transfer_report::{Written, tell};
use crate::connection::Connection;
use crate::error::Result;
use crate::files::backend_error::BackendError;
use crate::files::tree_download::Arrivals;
use crate::host::Host;
use crate::transport::Effect;

/// Files on their way from a host: a builder, and the future of what it [`Changes`] on this machine.
///
/// Each file lands whole or not at all, and is not sent where its content is here already. See [`Connection::get`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended; the old file stays, and no other is left.
#[must_use = "nothing is fetched until it is awaited"]
#[derive(Debug)]
pub struct Get(Deferred<Spec, Changes>);

struct Spec {
    place: Place,
    path: String,
    to: String,
    mode: Option<u32>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <- {}", self.to, self.path)
    }
}

impl Get {
    pub(super) fn new(connection: Connection, path: String, to: String, location: &'static Location<'static>) -> Self {
        let to = if to.is_empty() { EVERYWHERE.to_owned() } else { to };
        let place = Place::of_transfer(connection, location);
        Self(Deferred::Made(Box::new(Spec { place, path, to, mode: None })))
    }

    /// Sets the exact mode of the files, such as `0o600`. The default is the mode on the host, without the bits that
    /// the umask removes.
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.changed(|spec| spec.mode = Some(mode)))
    }

    /// Reads them as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

awaited!(Get => Changes, by get);

async fn get(spec: Arc<Spec>) -> Result<Changes> {
    let asked_for = Places::new(spec.place.connection.host(), &spec.to);
    let what = format!("get {} <- {}{}", asked_for.shown(), spec.path, spec.place.by());
    asked_for.check().and_then(|()| check_mode(spec.mode)).map_err(|error| spec.place.error(error))?;
    let way = Way { place: &spec.place, effect: Effect::Reads, what: &what };
    let host = spec.place.connection.host().cloned().unwrap_or_else(Host::local);
    if planning::is_planned(&spec.place) {
        let compared = way.go(|by| get_by(&spec, by)).map_ok(Made::from);
        let state = planning::plan(&spec.place, Side::Here, &what, compared).await?;
        return Ok(Changes::new(&spec.place, host, what, state));
    }
    let files = way.go(|by| get_by(&spec, by)).await?;
    let to = match files.as_slice() {
        [(only, _)] => only,
        _ => &spec.to,
    };
    let what = format!("get {to} <- {}", spec.path);
    warn_of_others(&spec.place, &host, &files);
    tell(&spec.place.connection, &host, &what, &files, 0);
    Ok(Changes::new(&spec.place, host, what, files))
}

async fn get_by(spec: &Spec, by: Backend) -> Result<Vec<Written>, BackendError> {
    let (by, path) = (&by, Path::new(&spec.path));
    let places = Places::new(spec.place.connection.host(), &spec.to);
    if spec.path.contains(['*', '?', '[']) {
        return spec.get_matches(by, &places).await;
    }
    if !matches!(base_name(path).as_bytes(), b"" | b"." | b"..") && !spec.path.ends_with('/') {
        let to = places.of_file(base_name(path)).map_err(|error| spec.place.error(error))?;
        match spec.get_file(by, path, to).await {
            // It was not known before it was asked for.
            Err(BackendError::Failed(error)) if is_a_folder(&error) => {}
            result => return Ok(vec![result?]),
        }
    }
    spec.get_folder(by, path, &places).await
}

/// Returns a path for messages.
fn shown(path: &LocalPath) -> String {
    path.path().display().to_string()
}

/// From which host each file of this machine has come last in a run.
#[derive(Debug, Default)]
struct Arrived(Mutex<HashMap<String, Host>>);

/// Says so where a file has replaced that of another host.
fn warn_of_others(place: &Place, host: &Host, files: &[Written]) {
    let Some(run) = place.connection.state() else { return };
    let arrived = run.extension::<Arrived>();
    let mut arrived = arrived.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (path, is_new) in files {
        if let Some(other) = arrived.insert(path.clone(), host.clone()).filter(|other| *is_new && other != host) {
            let text =
                format!("`{path}` is now that of this host, and was that of {other}: `{{host}}` tells them apart");
            place.warn(&text);
        }
    }
}

impl Spec {
    /// Gets all that the path means as a pattern.
    async fn get_matches(&self, by: &Backend, places: &Places<'_>) -> Result<Vec<Written>, BackendError> {
        let matches = by.matches(&self.place, &self.path, &format!("get {}", self.path)).await?;
        let (folders, files): (Vec<_>, Vec<_>) = matches.into_iter().partition(|(_, is_folder)| *is_folder);
        let here = |path: &Path| places.of_match(path).map_err(|error| self.place.error(error));
        let files = files.into_iter().map(|(path, _)| Ok((here(&path)?, path))).collect::<Result<Vec<_>>>()?;
        let gets: Vec<_> = files.iter().map(|(to, path)| self.get_file(by, path, to.clone())).collect();
        let mut written: Vec<_> = futures::stream::iter(gets).buffered(AT_ONCE).try_collect().await?;
        for (folder, _) in folders {
            written.extend(self.get_folder(by, &folder, places).await?);
        }
        Ok(written)
    }

    /// Gets all that is in a folder.
    async fn get_folder(&self, by: &Backend, folder: &Path, places: &Places<'_>) -> Result<Vec<Written>, BackendError> {
        let place_of = |entry: &Entry| {
            let is_left_out = entry.kind == EntryKind::Folder && !places.keep_folders();
            let place = (!is_left_out).then(|| places.of_entry(folder, &entry.below));
            place.transpose().map_err(|error| self.place.error(error))
        };
        let what = format!("get {}", folder.display());
        let arrivals = if self.is_planned() { Arrivals::Compared } else { Arrivals::Written(self.mode) };
        let entries = by.get_folder(&self.place, folder, &place_of, arrivals, &what).await?;
        let (mut left, mut links, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let full: HashSet<_> = entries.iter().filter_map(|(_, to)| to.path().parent().map(Path::to_owned)).collect();
        if entries.is_empty() && places.keep_folders() {
            let to = places.of_entry(folder, Path::new("")).map_err(|error| self.place.error(error))?;
            written.extend(self.make_folder(&to).await?.then(|| (shown(&to), true)));
        }
        for (entry, to) in entries {
            match (entry.kind, entry.done) {
                (_, Some(done)) => written.push((shown(&to), done)),
                (EntryKind::File, None) => left.push((folder.join(entry.below), to)),
                (EntryKind::Folder, None) => {
                    // One that has something in it is nothing to tell of.
                    if self.make_folder(&to).await? && !full.contains(&to.path()) {
                        written.push((shown(&to), true));
                    }
                }
                (EntryKind::Link(content), None) => links.push((content, to)),
                (EntryKind::Other, None) => {}
            }
        }
        let gets: Vec<_> = left.iter().map(|(path, to)| self.get_file(by, path, to.clone())).collect();
        let mut got: Vec<_> = futures::stream::iter(gets).buffered(AT_ONCE).try_collect().await?;
        written.append(&mut got);
        for (content, to) in links {
            written.push((shown(&to), self.write_link(content, &to).await?));
        }
        Ok(written)
    }

    /// Tells whether files are compared only, in a dry run.
    fn is_planned(&self) -> bool {
        planning::is_planned(&self.place)
    }

    /// Makes a folder here, and returns whether it is new. A dry run only looks.
    async fn make_folder(&self, to: &LocalPath) -> Result<bool> {
        let (to, is_planned) = (to.clone(), self.is_planned());
        let made = blocking(move || if is_planned { Ok(!to.is_folder()?) } else { to.make_folder() });
        made.await.map_err(|error| self.place.error(error))
    }

    /// Writes a symlink here, and returns whether it is new. A dry run only looks.
    async fn write_link(&self, content: PathBuf, to: &LocalPath) -> Result<bool> {
        let (to, is_planned) = (to.clone(), self.is_planned());
        let written = blocking(move || {
            let is_new = to.read_link().as_ref() != Some(&content);
            if is_new && !is_planned {
                write_link(&to, &content)?;
            }
            Ok(is_new)
        });
        written.await.map_err(|error| self.place.error(error))
    }

    /// Gets one file, and returns its path here with whether it was written.
    fn get_file<'a>(
        &'a self,
        by: &'a Backend,
        path: &'a Path,
        to: LocalPath,
    ) -> BoxFuture<'a, Result<Written, BackendError>> {
        async move {
            let by_sudo = self.place.by();
            let name = shown(&to);
            let what = format!("get {name} <- {}{by_sudo}", path.display());
            let here = to.clone();
            // A file that can't be read is as good as none: it is replaced.
            let known = blocking_while(move |is_wanted| Ok(here.sum(&mut vec![0; PIECE], is_wanted).ok())).await?;
            if self.is_planned() {
                let is_new = by.is_new(&self.place, path, known.as_ref(), &what).await?;
                return Ok((name, is_new));
            }
            let (place, called) = (self.place.clone(), what.clone());
            let arrival = Arrival::new(to, self.mode);
            let arrival = arrival.gauged(move |size| Gauge::new(&place, &called, size));
            let mut is_new = by.get(&self.place, path, known.as_ref(), &arrival, &what).await?;
            if is_new {
                let landed = blocking(move || arrival.land()).await;
                is_new = landed.map_err(|error| self.place.could_not(&what).caused_by(error))?;
            }
            Ok((name, is_new))
        }
        .boxed()
    }
}
