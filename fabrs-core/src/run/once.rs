//! Values that are settled once for all hosts of a run.

use std::any::Any;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::OnceCell;

use crate::client::Client;
use crate::connection::current;
use crate::error::{Error, ErrorKind, Result, TaskError};
use crate::event::Event;
use crate::host::Host;

/// A value of any type.
type Value = Arc<dyn Any + Send + Sync>;

/// What the hosts of a run have settled, by name. An error is settled too: nobody tries again behind the first's back.
#[derive(Debug, Default)]
struct Settled {
    values: Mutex<HashMap<String, Arc<OnceCell<Result<Value>>>>>,
}

/// Evaluates `future` once for the whole run, under `name`: the first host to come here does, all others get its value
/// or its error.
///
/// The value is shown, and kept with the run.
///
/// # Errors
///
/// What the future returned, the same for every host; [`ErrorKind::Usage`] outside a task, and where the same name
/// stands for values of two types.
///
/// # Cancel safety
///
/// Where the evaluation is dropped before it is done, the next host that waits evaluates its own.
#[track_caller]
pub fn once<T, E, F>(name: &str, future: F) -> impl Future<Output = Result<T>> + use<T, E, F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<TaskError>,
    T: Serialize + Clone + Send + Sync + 'static,
{
    let location = Location::caller();
    let here = current();
    let name = name.to_owned();
    async move {
        let Some(client) = here.client() else {
            return Err(
                Error::new(ErrorKind::Usage, format!("`once({name:?}, ..)` was called outside a task")).at(location)
            );
        };
        let settled = client.shared::<Settled>();
        let cell = {
            let mut values = settled.values.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(values.entry(name.clone()).or_default())
        };
        let value = cell.get_or_init(|| evaluate(client, here.host(), &name, future)).await.clone()?;
        value.downcast_ref::<T>().cloned().ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("`once({name:?}, ..)` stands for values of two types")).at(location)
        })
    }
}

async fn evaluate<T, E, F>(client: &Client, host: Option<&Host>, name: &str, future: F) -> Result<Value>
where
    F: Future<Output = Result<T, E>>,
    E: Into<TaskError>,
    T: Serialize + Send + Sync + 'static,
{
    // All hosts get this error, and it is told once: with the host that met it.
    let value = future.await.map_err(|error| error.into().into_error().or_on(host))?;
    let shown = serde_json::to_value(&value).unwrap_or_default();
    client.sink().event(&Event::Once { name, value: &shown });
    Ok(Arc::new(value))
}
