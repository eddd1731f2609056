//! Effects: changes without a command, such as a mail or a deploy marker.

use std::panic::Location;

use crate::connection::current;
use crate::error::{Error, ErrorKind, Result, TaskError};
use crate::transport::EffectMode;

/// The result of an [`effect`]. In a dry run the effect is planned and has no value.
#[derive(Debug, Clone)]
pub struct EffectResult<T> {
    name: String,
    location: &'static Location<'static>,
    value: Option<T>,
}

impl<T> EffectResult<T> {
    /// Returns the value of an executed effect, or `None` in a dry run. Unlike
    /// [`value`](Self::value), this method does not end the plan of a dry run.
    pub fn executed(self) -> Option<T> {
        self.value
    }

    /// Returns the value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`] in a dry run, since the effect was not executed.
    #[track_caller]
    pub fn value(self) -> Result<T> {
        let (read_at, made_at) = (Location::caller(), self.location);
        let not_executed = || {
            let text = format!(
                "the effect `{}` ({}:{}) was not executed in this dry run and has no value",
                self.name,
                made_at.file(),
                made_at.line()
            );
            Error::new(ErrorKind::NotRun, text).at(read_at)
        };
        // Ends the plan of the calling task, not of the task that made the effect: several tasks
        // can share a value of `once`.
        self.value.ok_or_else(|| current().plan_end().or_end(not_executed))
    }
}

/// Serializes the value, or null for a planned effect. The value can therefore be used in `once`:
/// `once("mail", effect("mail", ..))` sends a single mail in a run.
impl<T: serde::Serialize> serde::Serialize for EffectResult<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// Executes a change without a command. A dry run prints `name` and does not poll `future`.
///
/// ```
/// # use fabrs_core::{Client, run::effect, transport::Fake};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let client = Client::builder().dial(Fake::new()).build();
/// # client.local()?.enter(async {
/// let sent = effect("send the mail", async { Ok::<_, fabrs_core::Error>(250) }).await?;
/// assert_eq!(sent.value()?, 250);
/// # Ok(()) }).await
/// # }
/// ```
///
/// # Errors
///
/// The error of `future`. [`ErrorKind::Usage`] outside a task.
#[track_caller]
pub fn effect<T, E, F>(name: &str, future: F) -> impl Future<Output = Result<EffectResult<T>>> + use<T, E, F>
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
        if let Some(ended) = here.plan_end().get() {
            return Err(ended.clone());
        }
        let value = match client.state().dial().begin_effect(&name).map_err(|error| error.at(location))? {
            EffectMode::Execute => Some(future.await.map_err(|error| error.into().into_error())?),
            EffectMode::Plan => None,
        };
        Ok(EffectResult { name, location, value })
    }
}
