//! [`Get`]: files on their way from a host.

use std::collections::HashSet;
use std::fmt;
use std::panic::Location;
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{StreamExt, TryStreamExt};

use super::super::Connection;
use super::arrival::Arrival;
use super::by::By;
use super::job::Place;
use super::lazy::Lazy;
use super::script::Undone;
use super::source::{Source, at_home};
use super::way::Way;
use super::{AT_ONCE, Changes, blocking, is_a_folder, tell};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::transport::Effect;

/// Where files of several hosts go when nothing is said.
const EVERYWHERE: &str = "{host}/{path}";

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
        let place = Place { connection, elevated: false, location };
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

impl Future for Get {
    type Output = Result<Changes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, |spec| get(Arc::from(spec)).boxed())
    }
}

async fn get(spec: Arc<Spec>) -> Result<Changes> {
    let what = format!("get {} <- {}", spec.to, spec.path);
    let way = Way { place: &spec.place, effect: Effect::Reads, what: &what };
    let files = way.go(|by| get_by(&spec, by)).await?;
    let host = spec.place.connection.host().cloned().unwrap_or_else(Host::local);
    let to = match files.as_slice() {
        [(only, _)] => only,
        _ => &spec.to,
    };
    let what = format!("get {to} <- {}", spec.path);
    tell(&spec.place.connection, &host, &what, &files);
    Ok(Changes::new(host, what, spec.place.location, Some(files), spec.place.connection.plan().clone()))
}

async fn get_by(spec: &Spec, by: By) -> Result<Vec<(String, bool)>, Undone> {
    let by = &by;
    let Some(name) = spec.only_file() else { return get_all(spec, by).await };
    match spec.get_one(by, spec.path.clone(), spec.local(&name, None)).await {
        // It was not known before it was asked for.
        Err(Undone::Failed(error)) if is_a_folder(&error) => get_all(spec, by).await,
        result => Ok(vec![result?]),
    }
}

/// Gets all files that the path means: of folders and patterns.
async fn get_all(spec: &Spec, by: &By) -> Result<Vec<(String, bool)>, Undone> {
    let listed = by.list(&spec.place, &spec.path, &format!("get {}", spec.path)).await?;
    let mut files = Vec::new();
    for (folder, below) in listed {
        let below = below.trim_start_matches("./");
        let (path, named, below) = if folder.is_empty() {
            (below.to_owned(), base_name(below).to_owned(), base_name(below))
        } else {
            let named = match base_name(&folder) {
                "" | "." | ".." | "~" => below.to_owned(),
                name => format!("{name}/{below}"),
            };
            (format!("{}/{below}", folder.trim_end_matches('/')), named, below)
        };
        // The host says what is in a folder, and a name of its choice must not lead out of ours.
        let leads_out = |name: &str| Path::new(name).components().any(|part| !matches!(part, Component::Normal(_)));
        if leads_out(&named) || leads_out(below) {
            let text = format!("`{path}` of the host would be written outside of where it belongs");
            return Err(spec.place.error(Error::new(ErrorKind::File, text)).into());
        }
        files.push((path, spec.local(&named, Some(below))));
    }
    let mut places = HashSet::new();
    if let Some((path, to)) = files.iter().find(|(_, to)| !places.insert(to.clone())) {
        let text = format!("`{path}` and another file would both be written to `{}`", to.display());
        let error = Error::new(ErrorKind::Usage, text).hint("`{path}` tells them apart");
        return Err(spec.place.error(error).into());
    }
    let gets = files.into_iter().map(|(path, to)| spec.get_one(by, path, to));
    futures::stream::iter(gets).buffered(AT_ONCE).try_collect().await
}

impl Spec {
    /// Returns the name of the one file that the path means, unless it is sure to mean something else.
    fn only_file(&self) -> Option<String> {
        let several = self.path.contains(['*', '?', '[']) || self.path.ends_with('/');
        (!several).then(|| base_name(&self.path).to_owned())
    }

    /// Returns where a file goes that stands at `path` below what was asked for; `below` it in a folder, where it came
    /// out of one or is one of several.
    fn local(&self, path: &str, below: Option<&str>) -> PathBuf {
        let host = self.place.connection.host().map(|host| host.label().to_string()).unwrap_or_default();
        let host = host.replace(['[', ']'], "").replace(':', "-");
        let fields = [
            ("{host}", host.as_str()),
            ("{path}", path),
            ("{basename}", base_name(path)),
            ("{dirname}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        ];
        let has_a_place = ["{path}", "{basename}"].iter().any(|field| self.to.contains(field));
        let mut to = String::new();
        let mut rest = self.to.as_str();
        // Field after field, so that what a host is called is not read as a field.
        while let Some((at, field, value)) =
            fields.iter().filter_map(|(field, value)| Some((rest.find(field)?, *field, *value))).min()
        {
            to.push_str(rest.get(..at).unwrap_or_default());
            to.push_str(value);
            rest = rest.get(at + field.len()..).unwrap_or_default();
        }
        to.push_str(rest);
        let to = at_home(Path::new(&to));
        let is_folder = self.to.ends_with('/') || to.is_dir();
        match below {
            _ if has_a_place => to,
            Some(below) if !is_folder => to.join(below),
            None if !is_folder => to,
            _ => to.join(path),
        }
    }

    /// Gets one file, and returns its path here with whether it was written.
    fn get_one<'a>(&'a self, by: &'a By, path: String, to: PathBuf) -> BoxFuture<'a, Result<(String, bool), Undone>> {
        async move {
            let by_sudo = if self.place.elevated { " by sudo" } else { "" };
            let what = format!("get {} <- {path}{by_sudo}", to.display());
            let here = Source::Path(to.clone());
            // A file that can't be read is as good as none: it is replaced.
            let known = if to.is_file() { blocking(move || here.sum()).await.ok() } else { None };
            let arrival = Arrival::new(to.clone(), self.mode);
            let has_arrived = by.get(&self.place, &path, known.as_ref(), &arrival, &what).await?;
            if has_arrived {
                let landed = blocking(move || arrival.land()).await;
                landed.map_err(|error| self.place.could_not(&what).caused_by(error))?;
            }
            Ok((to.display().to_string(), has_arrived))
        }
        .boxed()
    }
}

fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
