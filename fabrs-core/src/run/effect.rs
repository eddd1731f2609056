//! Changes that are no commands: a mail, a marker somewhere else.

use std::panic::Location;

use crate::connection::current;
use crate::error::{Error, ErrorKind, Result, TaskError};
use crate::transport::EffectMode;

/// What an effect left; nothing, where it was only planned.
#[derive(Debug, Clone)]
pub struct Effected<T> {
    name: String,
    location: &'static Location<'static>,
    value: Option<T>,
}

impl<T> Effected<T> {
    /// Returns the value where the effect was made. Unlike [`value`](Self::value), this ends no plan.
    pub fn made(self) -> Option<T> {
        self.value
    }

    /// Returns the value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run: the effect was not made, and no value is invented.
    #[track_caller]
    pub fn value(self) -> Result<T> {
        let (looked, made) = (Location::caller(), self.location);
        let not_made = || {
            let text = format!(
                "the effect `{}` ({}:{}) was not made in this dry run, so it has no value",
                self.name,
                made.file(),
                made.line()
            );
            Error::new(ErrorKind::NotRun, text).at(looked)
        };
        // It is the task that looks whose plan ends: a value that was settled once belongs to many.
        self.value.ok_or_else(|| current().plan().or_end(not_made))
    }
}

/// Serialises the value, or nothing where it was only planned: `once("mail", effect("mail", ..))` makes it once a run.
impl<T: serde::Serialize> serde::Serialize for Effected<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// Makes a change that is no command, under a name; a dry run tells the name and does not poll `future`.
///
/// # Errors
///
/// What the future returned; [`ErrorKind::Usage`] outside a task.
#[track_caller]
pub fn effect<T, E, F>(name: &str, future: F) -> impl Future<Output = Result<Effected<T>>> + use<T, E, F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<TaskError>,
{
    let location = Location::caller();
    let here = current();
    let name = name.to_owned();
    async move {
        let Some(client) = here.client() else {
            return Err(
                Error::new(ErrorKind::Usage, format!("`effect({name:?}, ..)` was called outside a task")).at(location)
            );
        };
        if let Some(ended) = here.plan().get() {
            return Err(ended.clone());
        }
        let value = match client.state().dial().begin_effect(&name).map_err(|error| error.at(location))? {
            EffectMode::Execute => Some(future.await.map_err(|error| error.into().into_error())?),
            EffectMode::Plan => None,
        };
        Ok(Effected { name, location, value })
    }
}
