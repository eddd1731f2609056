//! Work that blocks a thread: the derivation of a key, or a program of this machine.

use std::sync::{Arc, Mutex};
use std::{io, thread};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::mutex::lock;

/// Does the work on this thread. The other async tasks of the thread continue on another one, if the runtime has several
/// threads.
pub(crate) fn block<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if has_others { tokio::task::block_in_place(work) } else { work() }
}

/// Blocks this thread until a future has ended, also within a runtime. The future is on a thread and a runtime of its own.
///
/// # Errors
///
/// The error of the system if it starts no runtime, and one for a panic of the future.
pub(crate) fn wait<T: Send>(future: impl Future<Output = T> + Send) -> io::Result<T> {
    let run = || Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future));
    let ended = block(|| thread::scope(|scope| scope.spawn(run).join()));
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
}

/// Does the work on a thread of its own, within the runtime of the caller. For work that waits long, such as for the network:
/// it must not take a thread of the runtime's pool, where name lookups and file reads have to wait for it.
///
/// # Errors
///
/// One for a panic of the work.
///
/// # Cancel safety
///
/// Dropping the future leaves the work to its end.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let runtime = Handle::current();
    let (done, result) = oneshot::channel();
    let work = move || {
        // The caller may have been dropped.
        let _dropped = done.send(work());
    };
    // A thread that does not start leaves the work here.
    let (here, inner) = (Arc::new(Mutex::new(Some(work))), runtime.clone());
    let there = Arc::clone(&here);
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _runtime = inner.enter();
        take(&there).map(|work| work())
    });
    if spawned.is_err()
        && let Some(work) = take(&here)
    {
        // The system allows no more threads. The pool has some, and lets the work wait for one.
        runtime.spawn_blocking(work);
    }
    result.await.map_err(|_| io::Error::other("the thread panicked"))
}

fn take<T>(value: &Mutex<Option<T>>) -> Option<T> {
    lock(value).take()
}
