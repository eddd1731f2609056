//! [`once`]: values computed once for all hosts of a run.

use std::any::Any;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::sync::OnceCell;

use crate::client::Client;
use crate::connection::{Connection, current, in_once_scope};
use crate::error::{Error, ErrorKind, Result, TaskError};
use crate::event::Event;
use crate::host::Host;
use crate::mutex::lock;
use crate::output::Output;

tokio::task_local! {
    /// The name of the value computed by the running future.
    static EVALUATING: String;
}

/// A value of any type.
type Value = Arc<dyn Any + Send + Sync>;

/// The computed values of a run, by name. Errors are kept too: after a failure, no other host tries
/// again. Only an error of an unreachable host is not kept.
#[derive(Debug, Default)]
struct OnceValues {
    values: Mutex<HashMap<String, Arc<OnceCell<Result<Value>>>>>,
}

/// Removes the values of an earlier run with the same client.
pub(super) fn begin(client: &Client) {
    lock(&client.state().extension::<OnceValues>().values).clear();
}

/// Runs `future` once for the whole run. The future of the first host runs, and all other hosts get
/// the same value or error.
///
/// The value is shown, and is part of the plan.
///
/// ```
/// # use fabrs_core::{Client, run::once, transport::{Fake, FakeAnswer}};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let hosts = Fake::new().on("git describe", FakeAnswer::stdout("v2\n"));
/// # let web = Client::builder().dial(hosts).build().connect("web1")?;
/// # web.clone().enter(async {
/// let tag = once("tag", web.probe("git describe").line()).await?;
/// assert_eq!(tag, "v2");
/// # Ok(()) }).await
/// # }
/// ```
///
/// # Errors
///
/// The error of `future`, the same for every host. [`ErrorKind::Usage`] outside a task, inside
/// another `once`, and for a name used with values of two types. The error of an unreachable host
/// is not shared: the next host runs another future.
///
/// # Cancel safety
///
/// If the running future is dropped, the next waiting host runs its future.
#[track_caller]
pub fn once<T, E, F>(name: &str, future: F) -> impl Future<Output = Result<T>> + use<T, E, F>
where
    F: IntoFuture<Output = Result<T, E>>,
    E: Into<TaskError>,
    T: Serialize + Clone + Send + Sync + 'static,
{
    let location = Location::caller();
    let here = current();
    let name = name.to_owned();
    async move {
        // A nested call could wait for itself, or two hosts for each other.
        if let Ok(outer) = EVALUATING.try_with(Clone::clone) {
            let text = format!("`once({name:?}, ..)` was called inside `once({outer:?}, ..)`");
            let error = Error::new(ErrorKind::Usage, text).at(location);
            return Err(error.hint("compute the inner value first, and use its result"));
        }
        let Some(client) = here.client() else {
            return Err(
                Error::new(ErrorKind::Usage, format!("`once({name:?}, ..)` was called outside a task")).at(location)
            );
        };
        if let Some(ended) = here.plan_end().get() {
            return Err(ended.clone());
        }
        let once_values = client.state().extension::<OnceValues>();
        let cell = {
            let mut values = lock(&once_values.values);
            Arc::clone(values.entry(name.clone()).or_default())
        };
        let evaluated = || {
            let future = EVALUATING.scope(name.clone(), in_once_scope(future.into_future()));
            // Boxed, since nested futures would store the large future several times.
            Box::pin(evaluate(&client, here.host(), &name, future))
        };
        let value = cell.get_or_try_init(evaluated).await?.clone();
        let value = value.inspect_err(|error| {
            // A planned value ends the plan of every host that waited for the value.
            if error.kind() == ErrorKind::NotRun {
                here.plan_end().or_end(|| error.clone());
            }
        })?;
        let Some(value) = value.downcast_ref::<T>() else {
            let text = format!("`once({name:?}, ..)` is used with values of two types");
            return Err(Error::new(ErrorKind::Usage, text).at(location));
        };
        Ok(for_host(&here, value.clone()))
    }
}

/// Computes the value, or the error shared by all hosts, as the inner result. The outer result is
/// an error only if the error concerns `host` alone.
async fn evaluate<T, E, F>(client: &Client, host: Option<&Host>, name: &str, future: F) -> Result<Result<Value>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<TaskError>,
    T: Serialize + Send + Sync + 'static,
{
    let value = match future.await.map_err(|error| error.into().into_error().or_on(host)) {
        Ok(value) => value,
        // An unreachable host must not end the run of the others.
        Err(error) if host.is_some() && error.host() == host && is_unreachable(error.kind()) => return Err(error),
        // All hosts get this error. The error is shown once, with the host on which it occurred.
        Err(error) => return Ok(Err(error)),
    };
    let shown = serde_json::to_value(&value).unwrap_or_default();
    client.state().approval().add_once_value(name, &shown);
    client.sink().event(&Event::Once { name, value: &shown });
    Ok(Ok(Arc::new(value)))
}

fn is_unreachable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Connect | ErrorKind::HostKey | ErrorKind::Auth)
}

/// Returns the value for one host. Reading the output of a planned command ends the plan of the
/// reading host.
fn for_host<T: 'static>(here: &Connection, mut value: T) -> T {
    if let Some(output) = (&mut value as &mut dyn Any).downcast_mut::<Output>() {
        *output = output.planned_for(here.plan_end());
    }
    value
}
