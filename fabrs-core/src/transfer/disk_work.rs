//! Blocking file access, outside of the async runtime.

use std::sync::Arc;

use crate::blocking::on_own_thread;
use crate::error::{Error, ErrorKind, Result};

/// The number of files that one transfer sends or receives at once.
pub(crate) const PARALLEL_FILES: usize = 4;
/// Runs blocking file access on a thread of the blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => {
            Err(Error::new(ErrorKind::Internal, "internal error: a thread panicked during file access")
                .caused_by(source))
        }
    }
}

/// Runs work that reads files and waits for the network, on a separate thread. A slow network would
/// occupy the blocking pool.
pub(crate) async fn on_transfer_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |source| Error::new(ErrorKind::Local, "could not start a thread for a transfer").caused_by(source);
    on_own_thread("fabrs-transfer", work).await.map_err(failed)?
}

/// Runs blocking file access. The callback of `work` returns false after the future is dropped.
pub(crate) async fn blocking_while<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn() -> bool) -> Result<T> + Send + 'static,
) -> Result<T> {
    let wanted = Arc::new(());
    let known = Arc::downgrade(&wanted);
    let result = blocking(move || work(&|| known.strong_count() > 0)).await;
    drop(wanted);
    result
}
