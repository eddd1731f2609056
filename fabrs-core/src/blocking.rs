//! Work that blocks a thread: the derivation of a key, or a program of this machine.

use std::{io, thread};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

/// Does the work on this thread. The other async tasks of the thread continue on another one, if the runtime has several
/// threads.
pub(crate) fn block<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if has_others { tokio::task::block_in_place(work) } else { work() }
}

/// Does the work on a thread of its own, within the runtime of the caller. For work that waits long, such as for the network:
/// it must not take a thread of the runtime's pool, where name lookups and file reads have to wait for it.
///
/// # Errors
///
/// The error of the system if it starts no thread, and one for a panic of the work.
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
        let _runtime = runtime.enter();
        // The caller may have been dropped.
        let _dropped = done.send(work());
    };
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    result.await.map_err(|_| io::Error::other("the thread panicked"))
}
