//! [`Remove`]: what is to be there no more.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::files::backend_choice::Way;
use crate::files::changes::Changes;
use crate::files::changes::Made;
use crate::files::deferred::{Deferred, awaited};
use crate::files::entry::FileKind;
use crate::files::file_error::{IS_A_FOLDER, is_a_folder};
use crate::files::place::Place;
use crate::files::planning;
use crate::files::planning::Side;
use crate::files::transfer_report::tell;
use crate::transport::Effect;

/// What is to be there no more: a builder, and the future of what it [`Changes`].
///
/// # Cancel safety
///
/// Dropped, what has started is ended; what was removed by then is gone.
#[must_use = "nothing is removed until it is awaited"]
#[derive(Debug)]
pub struct Remove(Deferred<Spec, Changes>);

struct Spec {
    place: Place,
    path: String,
    is_recursive: bool,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words())
    }
}

impl Remove {
    fn new(connection: Connection, path: String, location: &'static Location<'static>) -> Self {
        let place = Place::of_transfer(connection, location);
        Self(Deferred::Made(Box::new(Spec { place, path, is_recursive: false })))
    }

    /// Removes a folder too, with all that is in it.
    pub fn recursive(self) -> Self {
        Self(self.0.changed(|spec| spec.is_recursive = true))
    }

    /// Removes it as root, or as the connection's [`sudo_user`](Connection::sudo_user).
    pub fn sudo(self) -> Self {
        Self(self.0.changed(|spec| spec.place.elevated = true))
    }
}

/// The hint for a folder that is in the way.
const RECURSIVE: &str = "`.recursive()` removes it with all in it";

awaited!(Remove => Changes, by remove);

async fn remove(spec: Arc<Spec>) -> Result<Changes> {
    let spec = &*spec;
    let (place, connection) = (&spec.place, &spec.place.connection);
    let host = connection.host_and_run(place.location)?.0;
    let what = spec.in_words();
    spec.check().map_err(|error| place.error(error))?;
    let made = |was_there: bool| Made {
        files: Vec::new(),
        removed: was_there.then(|| spec.path.clone()).into_iter().collect(),
    };
    if planning::is_planned(place) {
        let compared = async {
            let looked = &format!("look at {}", spec.path);
            let way = Way { place, effect: Effect::Reads, what: looked };
            let found = way.go(|by| async move { by.look(place, &spec.path, looked).await }).await?;
            let is_folder = found.itself.is_some_and(|stat| stat.kind() == FileKind::Folder);
            if is_folder && !spec.is_recursive {
                return Err(place
                    .could_not(&what)
                    .caused_by(CauseText(format!("{}{IS_A_FOLDER}", spec.path)))
                    .hint(RECURSIVE));
            }
            Ok(made(found.itself.is_some()))
        };
        let state = planning::plan(place, Side::Host, &what, compared).await?;
        return Ok(Changes::new(place, host.clone(), what, state));
    }
    let way = Way { place, effect: Effect::Changes, what: &what };
    let was_there = way.go(|by| {
        let what = &what;
        async move { by.remove(place, &spec.path, spec.is_recursive, what).await }
    });
    let was_there = was_there.await.map_err(|error| if is_a_folder(&error) { error.hint(RECURSIVE) } else { error })?;
    let made = made(was_there);
    tell(connection, host, &what, &[], made.removed.len());
    Ok(Changes::new(place, host.clone(), what.clone(), made))
}

impl Spec {
    fn in_words(&self) -> String {
        let all = if self.is_recursive { " with all in it" } else { "" };
        let by = self.place.by();
        format!("remove {}{all}{by}", self.path)
    }

    /// Fails where the path is none of something in a folder: an empty variable was put into it, or it leads upwards.
    fn check(&self) -> Result<()> {
        let last = self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if ["", ".", "..", "~"].contains(&last) {
            let text = format!("`{}` is no name of something that could be removed", self.path);
            return Err(Error::new(ErrorKind::Usage, text));
        }
        Ok(())
    }
}

impl Connection {
    /// Sees to it that nothing is at a path: a file or a symlink is removed, and what that leads to stays. A folder is, with
    /// all in it, where that is said: [`recursive`](Remove::recursive). [`Changes::removed`] says whether it was there.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where a folder is there, or it can't be removed;
    /// [`Usage`](crate::ErrorKind::Usage) where the path ends with no name, as `/` and `..`; as any command.
    #[track_caller]
    pub fn remove(&self, path: impl Into<String>) -> Remove {
        Remove::new(self.clone(), path.into(), Location::caller())
    }
}
