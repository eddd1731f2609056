//! Work that blocks a thread, such as the derivation of a key from a passphrase.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does the work on this thread. Other tasks of the thread go on elsewhere, if the runtime has several threads.
pub(super) fn block<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if has_others { tokio::task::block_in_place(work) } else { work() }
}
