//! [`Make`]: a folder or a symlink that is to be there.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::TryFutureExt;

use crate::connection::Connection;
use crate::error::Result;
use crate::files::backend_choice::Way;
use crate::files::changes::Changes;
use crate::files::deferred::{Deferred, awaited};
use crate::files::job::{Attributes, Job, Landing, Replaces, check_mode};
use crate::files::place::Place;
use crate::files::planning;
use crate::files::planning::Side;
use crate::files::transfer_report::tell;
use crate::files::walk::{Content, Item};
use crate::transport::Effect;

/// A folder or a symlink that is to be there: a builder, and the future of what it [`Changes`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended; what is not made by then is not there.
#[must_use = "nothing is made until it is awaited"]
#[derive(Debug)]
pub struct Make(Deferred<Spec, Changes>);

struct Spec {
    place: Place,
    path: String,
    content: Content,
    attributes: Attributes,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words())
    }
}

impl Make {
    fn new(connection: Connection, path: String, location: &'static Location<'static>, content: Content) -> Self {
        let place = Place::of_transfer(connection, location);
        Self(Deferred::Made(Box::new(Spec { place, path, content, attributes: Attributes::default() })))
    }

    /// Gives a folder this mode, also one that is there. By default a new one has `0o755`; a symlink has none of its own.
    pub fn mode(self, mode: u32) -> Self {
        Self(self.0.changed(|spec| spec.attributes.mode = Some(mode)))
    }

    /// Gives it to this user, by name or number: for who may do that.
    pub fn owner(self, user: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.attributes.owner = Some(Arc::from(user.into()))))
    }

    /// Gives it to this group, by name or number.
    pub fn group(self, group: impl Into<String>) -> Self {
        Self(self.0.changed(|spec| spec.attributes.group = Some(Arc::from(group.into()))))
    }

    /// Makes it as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

awaited!(Make => Changes, by make);

async fn make(spec: Arc<Spec>) -> Result<Changes> {
    let (place, connection) = (&spec.place, &spec.place.connection);
    let host = connection.host_and_run(place.location)?.0;
    let what = spec.in_words();
    check_mode(spec.attributes.mode).map_err(|error| place.error(error))?;
    let job = &spec.job(&what);
    if planning::is_planned(place) {
        let way = Way { place, effect: Effect::Reads, what: &what };
        let compared = way.go(|by| async move { by.plan(place, job).await });
        let state = planning::plan(place, Side::Host, &what, compared.map_ok(|written| vec![written].into())).await?;
        return Ok(Changes::new(place, host.clone(), what, state));
    }
    let way = Way { place, effect: Effect::Changes, what: &what };
    let files = vec![way.go(|by| async move { by.put(place, job).await }).await?];
    tell(connection, host, &what, &files, 0);
    Ok(Changes::new(place, host.clone(), what.clone(), files))
}

impl Spec {
    fn job(&self, what: &str) -> Job {
        let item = Item { content: self.content.clone(), below: Some(PathBuf::from(&self.path)) };
        let (target, attributes) = (self.path.clone().into(), self.attributes.clone());
        // What is no symlink may be something that nobody has elsewhere.
        let landing = Arc::new(Landing { replaces: Replaces::Link, ..Landing::default() });
        Job { item, stamp: None, target, attributes, landing, called: Some(what.into()) }
    }

    fn in_words(&self) -> String {
        let by = self.place.by();
        match &self.content {
            Content::Link(to) => format!("link {} -> {}{by}", self.path, to.display()),
            _ => format!("make the folder {}{by}", self.path),
        }
    }
}

impl Connection {
    /// Sees to it that a folder is there, with all above it.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where something else is there, or it can't be made; as any command.
    #[track_caller]
    pub fn ensure_dir(&self, path: impl Into<String>) -> Make {
        Make::new(self.clone(), path.into(), Location::caller(), Content::Folder)
    }

    /// Sees to it that a symlink at `path` leads to `to`, which need not be there: one that is there is replaced in one step,
    /// so that who follows it comes to the old place or to the new one.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where something else than a symlink is there, or it can't be made; as any command.
    #[track_caller]
    pub fn symlink(&self, to: impl Into<PathBuf>, path: impl Into<String>) -> Make {
        Make::new(self.clone(), path.into(), Location::caller(), Content::Link(to.into()))
    }
}
