//! Blocking work in an async context, such as key derivation or a local program.

use std::sync::{Arc, Mutex};
use std::{io, thread};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::mutex::lock;

/// Runs blocking work on this thread. On a multi-threaded runtime, the other async tasks of the
/// thread move to another thread.
pub(crate) fn block<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if has_others { tokio::task::block_in_place(work) } else { work() }
}

/// Blocks this thread until a future completes, even inside a runtime. The future runs on a new
/// thread with its own runtime.
///
/// # Errors
///
/// The error of the operating system if no runtime starts, and an error if the future panics.
pub(crate) fn wait<T: Send>(future: impl Future<Output = T> + Send) -> io::Result<T> {
    let run = || Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future));
    let ended = block(|| thread::scope(|scope| scope.spawn(run).join()));
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
}

/// Runs long work, such as network access, on a new thread inside the runtime of the caller. In the
/// runtime's thread pool, long work would delay name lookups and file reads.
///
/// # Errors
///
/// An error if the work panics.
///
/// # Cancel safety
///
/// Dropping the future does not stop the work.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let runtime = Handle::current();
    let (done, result) = oneshot::channel();
    let work = move || {
        // The future of the caller may have been dropped.
        let _dropped = done.send(work());
    };
    // If the thread does not start, the work is still available here.
    let (here, inner) = (Arc::new(Mutex::new(Some(work))), runtime.clone());
    let there = Arc::clone(&here);
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _runtime = inner.enter();
        take(&there).map(|work| work())
    });
    if spawned.is_err()
        && let Some(work) = take(&here)
    {
        // The system allows no further thread. The pool has threads, and queues the work for one of
        // them.
        runtime.spawn_blocking(work);
    }
    result.await.map_err(|_| io::Error::other("the thread panicked"))
}

fn take<T>(value: &Mutex<Option<T>>) -> Option<T> {
    lock(value).take()
}
