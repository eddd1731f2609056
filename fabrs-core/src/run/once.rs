//! Values that are settled once for all hosts of a run.

use std::any::Any;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::OnceCell;

use crate::client::Client;
use crate::connection::{Connection, current, for_all};
use crate::error::{Error, ErrorKind, Result, TaskError};
use crate::event::Event;
use crate::host::Host;
use crate::output::Output;

tokio::task_local! {
    /// The name of the value that this task evaluates.
    static INSIDE: String;
}

/// A value of any type.
type Value = Arc<dyn Any + Send + Sync>;

/// What the hosts of a run have settled, by name. An error is settled too: nobody tries again behind the first's back,
/// unless nothing can have happened there.
#[derive(Debug, Default)]
struct Settled {
    values: Mutex<HashMap<String, Arc<OnceCell<Result<Value>>>>>,
}

/// Forgets what an earlier run with the same client has settled.
pub(super) fn begin(client: &Client) {
    client.state().extension::<Settled>().values.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Evaluates `future` once for the whole run, under `name`: the first host to come here does, all others get its value
/// or its error.
///
/// The value is shown, and kept with the run.
///
/// # Errors
///
/// What the future returned, the same for every host; [`ErrorKind::Usage`] outside a task, and where the same name
/// stands for values of two types, and within another `once`. A host that can't be reached settles nothing: the next one evaluates its own.
///
/// # Cancel safety
///
/// Where the evaluation is dropped before it is done, the next host that waits evaluates its own.
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
        // It could wait for itself, or two hosts for each other.
        if let Ok(outer) = INSIDE.try_with(Clone::clone) {
            let text = format!("`once({name:?}, ..)` is called within `once({outer:?}, ..)`");
            let error = Error::new(ErrorKind::Usage, text).at(location);
            return Err(error.hint("evaluate the inner value before, and use its result"));
        }
        let Some(client) = here.client() else {
            return Err(
                Error::new(ErrorKind::Usage, format!("`once({name:?}, ..)` was called outside a task")).at(location)
            );
        };
        if let Some(ended) = here.plan().get() {
            return Err(ended.clone());
        }
        let settled = client.state().extension::<Settled>();
        let cell = {
            let mut values = settled.values.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(values.entry(name.clone()).or_default())
        };
        let evaluated = || {
            let future = INSIDE.scope(name.clone(), for_all(future.into_future()));
            // Boxed: else each level of futures holds it several times.
            Box::pin(evaluate(&client, here.host(), &name, future))
        };
        let value = cell.get_or_try_init(evaluated).await?.clone();
        let value = value.inspect_err(|error| {
            // Who waited for a value that a plan can't have ends with that plan.
            if error.kind() == ErrorKind::NotRun {
                here.plan().or_end(|| error.clone());
            }
        })?;
        let Some(value) = value.downcast_ref::<T>() else {
            let text = format!("`once({name:?}, ..)` stands for values of two types");
            return Err(Error::new(ErrorKind::Usage, text).at(location));
        };
        Ok(shared_with(&here, value.clone()))
    }
}

/// Settles a value, or the error that all hosts get; fails with one that concerns `host` alone.
async fn evaluate<T, E, F>(client: &Client, host: Option<&Host>, name: &str, future: F) -> Result<Result<Value>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<TaskError>,
    T: Serialize + Send + Sync + 'static,
{
    let value = match future.await.map_err(|error| error.into().into_error().or_on(host)) {
        Ok(value) => value,
        // One bad host must not be the end of all others.
        Err(error) if host.is_some() && error.host() == host && is_unreachable(error.kind()) => return Err(error),
        // All hosts get this error, and it is told once: with the host that met it.
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

/// Gives a host its own copy of the value: who looks at a command that was only planned ends their own plan with it.
fn shared_with<T: 'static>(here: &Connection, mut value: T) -> T {
    if let Some(output) = (&mut value as &mut dyn Any).downcast_mut::<Output>() {
        *output = output.planned_for(here.plan());
    }
    value
}
