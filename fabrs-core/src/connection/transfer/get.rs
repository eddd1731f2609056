//! [`Get`]: files on their way from a host.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use futures::stream::{StreamExt, TryStreamExt};

use super::super::Connection;
use super::arrival::{self, Arrival};
use super::blob::Blob;
use super::by::{Arrivals, By};
use super::changes::Made;
use super::entry::{Entry, EntryKind};
use super::gauge::Gauge;
use super::job::check_mode;
use super::lazy::{Lazy, awaited};
use super::place::Place;
use super::places::{EVERYWHERE, Places, base_name};
use super::planning::Side;
use super::script::Undone;
use super::way::Way;
use super::{AT_ONCE, Changes, Written, blocking, is_a_folder, planning, tell};
use crate::error::{Error, ErrorKind, Result};
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
pub struct Get(Lazy<Spec, Changes>);

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
    pub(in crate::connection) fn new(
        connection: Connection,
        path: String,
        to: String,
        location: &'static Location<'static>,
    ) -> Self {
        let to = if to.is_empty() { EVERYWHERE.to_owned() } else { to };
        let place = Place::of_transfer(connection, location);
        Self(Lazy::Made(Box::new(Spec { place, path, to, mode: None })))
    }

    /// Gives the files this mode: `0o600`. By default each has the one that it has on the host.
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
    let asked_for = Places::new(spec.place.connection.host(), &spec.path, &spec.to);
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

async fn get_by(spec: &Spec, by: By) -> Result<Vec<Written>, Undone> {
    let (by, path) = (&by, Path::new(&spec.path));
    let places = Places::new(spec.place.connection.host(), &spec.path, &spec.to);
    if spec.path.contains(['*', '?', '[']) {
        return spec.get_matches(by, &places).await;
    }
    if !spec.path.ends_with('/') {
        match spec.get_file(by, path, places.of_file(base_name(path))).await {
            // It was not known before it was asked for.
            Err(Undone::Failed(error)) if is_a_folder(&error) => {}
            result => return Ok(vec![result?]),
        }
    }
    spec.get_folder(by, path, &places).await
}

/// From which host each file of this machine has come last in a run.
#[derive(Debug, Default)]
struct Arrived(Mutex<HashMap<String, Host>>);

/// Says so where a file has replaced that of another host.
fn warn_of_others(place: &Place, host: &Host, files: &[Written]) {
    let Some(client) = place.connection.client() else { return };
    let arrived = client.shared::<Arrived>();
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
    async fn get_matches(&self, by: &By, places: &Places<'_>) -> Result<Vec<Written>, Undone> {
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
    async fn get_folder(&self, by: &By, folder: &Path, places: &Places<'_>) -> Result<Vec<Written>, Undone> {
        let place_of = |entry: &Entry| {
            let is_left_out = entry.kind == EntryKind::Folder && !places.keep_folders();
            let place = (!is_left_out).then(|| places.of_entry(folder, &entry.below));
            place.transpose().map_err(|error| self.place.error(error))
        };
        let what = format!("get {}", folder.display());
        let arrivals = if self.is_planned() { Arrivals::Compared } else { Arrivals::Written(self.mode) };
        let entries = by.get_folder(&self.place, folder, &place_of, arrivals, &what).await?;
        let (mut left, mut links, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let full: HashSet<_> = entries.iter().filter_map(|(_, to)| to.parent()).map(Path::to_owned).collect();
        if entries.is_empty() && places.keep_folders() {
            let to = places.of_entry(folder, Path::new("")).map_err(|error| self.place.error(error))?;
            let to: PathBuf = to.components().collect();
            let is_new = !to.is_dir();
            self.here("make", &to, move |to| std::fs::create_dir_all(to)).await?;
            written.extend(is_new.then(|| (to.display().to_string(), true)));
        }
        for (entry, to) in entries {
            match (entry.kind, entry.done) {
                (_, Some(done)) => written.push((to.display().to_string(), done)),
                (EntryKind::File, None) => left.push((folder.join(entry.below), to)),
                (EntryKind::Folder, None) => {
                    let is_new = !to.is_dir();
                    self.here("make", &to, move |to| std::fs::create_dir_all(to)).await?;
                    // One that has something in it is nothing to tell of.
                    if is_new && !full.contains(&to) {
                        written.push((to.display().to_string(), true));
                    }
                }
                (EntryKind::Link(content), None) => links.push((content, to)),
                (EntryKind::Other, None) => {}
            }
        }
        let gets: Vec<_> = left.iter().map(|(path, to)| self.get_file(by, path, to.clone())).collect();
        let mut got: Vec<_> = futures::stream::iter(gets).buffered(AT_ONCE).try_collect().await?;
        written.append(&mut got);
        // At the end, so that nothing is written through one that the host has sent.
        for (content, to) in links {
            let is_new = std::fs::read_link(&to).ok().as_ref() != Some(&content);
            if is_new {
                self.here("write", &to, move |to| arrival::link(&content, to)).await?;
            }
            written.push((to.display().to_string(), is_new));
        }
        Ok(written)
    }

    /// Tells whether files are compared only, in a dry run.
    fn is_planned(&self) -> bool {
        planning::is_planned(&self.place)
    }

    /// Does something on this machine that may wait for its disk; nothing in a dry run.
    async fn here(
        &self,
        doing: &str,
        to: &Path,
        work: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
    ) -> Result<()> {
        if self.is_planned() {
            return Ok(());
        }
        let text = format!("could not {doing} `{}`", to.display());
        let to = to.to_owned();
        let failed = |source| self.place.error(Error::new(ErrorKind::Local, text).caused_by(source));
        blocking(move || Ok(work(&to))).await?.map_err(failed)
    }

    /// Gets one file, and returns its path here with whether it was written.
    fn get_file<'a>(&'a self, by: &'a By, path: &'a Path, to: PathBuf) -> BoxFuture<'a, Result<Written, Undone>> {
        async move {
            let by_sudo = self.place.by();
            let what = format!("get {} <- {}{by_sudo}", to.display(), path.display());
            let here = Blob::Path(to.clone());
            // A file that can't be read is as good as none: it is replaced.
            let known = if to.is_file() && !to.is_symlink() { here.sum().await.ok() } else { None };
            if self.is_planned() {
                let is_new = by.is_new(&self.place, path, known.as_ref(), &what).await?;
                return Ok((to.display().to_string(), is_new));
            }
            let (place, called) = (self.place.clone(), what.clone());
            let arrival = Arrival::new(to.clone(), self.mode);
            let arrival = arrival.gauged(move |size| Gauge::new(&place, &called, size));
            let mut is_new = by.get(&self.place, path, known.as_ref(), &arrival, &what).await?;
            if is_new {
                let landed = blocking(move || arrival.land()).await;
                is_new = landed.map_err(|error| self.place.could_not(&what).caused_by(error))?;
            }
            Ok((to.display().to_string(), is_new))
        }
        .boxed()
    }
}
