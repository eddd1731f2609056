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

use super::super::{Connection, Hide};
use super::fetch::{Arrival, Fetch};
use super::lazy::Lazy;
use super::put::{blocking, tell};
use super::source::{Source, at_home};
use super::{AT_ONCE, Changes, failed, script};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::output::Output;
use crate::shell::{ShellLine, ShellLineError};
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
    connection: Connection,
    path: String,
    to: String,
    mode: Option<u32>,
    elevated: bool,
    location: &'static Location<'static>,
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
        Self(Lazy::Made(Box::new(Spec { connection, path, to, mode: None, elevated: false, location })))
    }

    /// Gives the files this mode: `0o600`. By default each has the one that it has on the host.
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.changed(|spec| spec.mode = Some(mode)))
    }

    /// Reads them as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.elevated = true))
    }
}

impl Future for Get {
    type Output = Result<Changes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, |spec| get(Arc::from(spec)).boxed())
    }
}

async fn get(spec: Arc<Spec>) -> Result<Changes> {
    let files = match spec.only_file() {
        Some(name) => {
            let to = spec.local(&name, None);
            match Arc::clone(&spec).get_one(spec.path.clone(), to).await {
                // It was not known before it was asked for.
                Err(error) if is_folder(&error) => get_all(&spec).await?,
                result => vec![result?],
            }
        }
        None => get_all(&spec).await?,
    };
    let host = spec.connection.host().cloned().unwrap_or_else(Host::local);
    let to = match files.as_slice() {
        [(only, _)] => only,
        _ => &spec.to,
    };
    let what = format!("get {to} <- {}", spec.path);
    tell(&spec.connection, &host, &what, Some(&files));
    Ok(Changes::new(host, what, spec.location, Some(files), spec.connection.plan().clone()))
}

fn is_folder(error: &Error) -> bool {
    let said = std::error::Error::source(error).map(ToString::to_string);
    said.is_some_and(|said| said.ends_with(" is a folder"))
}

/// Gets all files that the path means: of folders and patterns.
async fn get_all(spec: &Arc<Spec>) -> Result<Vec<(String, bool)>> {
    let what = format!("list {}", spec.path);
    let output = spec.command(script::list(&spec.path), &what)?.capture_all().await;
    let output = output.map_err(|error| failed(format!("could not get {}", spec.path), &error))?;
    let listed = output.stdout_bytes()?;
    let texts: Vec<&[u8]> = listed.split(|byte| *byte == 0).collect();
    let mut files = Vec::new();
    for pair in texts.chunks_exact(2) {
        let [folder, below] = pair else { continue };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|source| spec.not_utf8(source));
        let (folder, below) = (text(folder)?, text(below)?);
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
            return Err(Error::new(ErrorKind::File, text).or_on(spec.connection.host()).at(spec.location));
        }
        files.push((path, spec.local(&named, Some(below))));
    }
    let mut places = HashSet::new();
    if let Some((path, to)) = files.iter().find(|(_, to)| !places.insert(to.clone())) {
        let text = format!("`{path}` and another file would both be written to `{}`", to.display());
        let error = Error::new(ErrorKind::Usage, text).hint("`{path}` tells them apart");
        return Err(error.or_on(spec.connection.host()).at(spec.location));
    }
    let gets = files.into_iter().map(|(path, to)| Arc::clone(spec).get_one(path, to));
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
        let host = self.connection.host().map(|host| host.label().to_string()).unwrap_or_default();
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

    fn command(&self, line: Result<String, ShellLineError>, what: &str) -> Result<super::super::Command> {
        let line = line.map_err(|source| {
            let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", self.path)).caused_by(source);
            error.or_on(self.connection.host()).at(self.location)
        })?;
        let command = self.connection.only_placed().command(ShellLine::raw(line), Effect::Reads, self.location);
        let command = command.called(what).hide(Hide::Both);
        Ok(if self.elevated { command.sudo() } else { command })
    }

    /// Gets one file, and returns its path here with whether it was written.
    fn get_one(self: Arc<Self>, path: String, to: PathBuf) -> BoxFuture<'static, Result<(String, bool)>> {
        async move {
            let by = if self.elevated { " by sudo" } else { "" };
            let what = format!("get {} <- {path}{by}", to.display());
            let here = Source::Path(to.clone());
            // A file that can't be read is as good as none: it is replaced.
            let known = if to.is_file() { blocking(move || here.sum()).await.ok() } else { None };
            let arrival = Arrival::new(to.clone(), self.mode);
            let command = self.command(script::get(&path, known.as_ref()), &what)?;
            let output = command.watched_by(Fetch::new(&arrival)).keeping(1024).await;
            let output: Output = output.map_err(|error| {
                arrival.give_up();
                failed(format!("could not {what}"), &error)
            })?;
            let shown = to.display().to_string();
            if output.tail(1)?.trim_end() == script::SAME.trim_end() && !arrival.has_begun() {
                return Ok((shown, false));
            }
            let landed = blocking(move || arrival.land()).await;
            landed.map_err(|error| {
                let made = Error::new(ErrorKind::File, format!("could not {what}")).or_on(self.connection.host());
                made.at(self.location).caused_by(error)
            })?;
            Ok((shown, true))
        }
        .boxed()
    }

    fn not_utf8(&self, source: std::string::FromUtf8Error) -> Error {
        let error = Error::new(ErrorKind::File, format!("a file in `{}` has a name that is not UTF-8", self.path));
        error.or_on(self.connection.host()).at(self.location).caused_by(source)
    }
}

fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
