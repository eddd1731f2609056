//! The default run of the process, for code outside a task.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::run_state::{Inner, RunState};

/// The default run. A weak reference, so that the run ends with the last client.
static PROCESS_RUN: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

/// Makes `state` the default run of the process until the last client is dropped.
pub(crate) fn install_process_run(state: &RunState) {
    *PROCESS_RUN.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&state.inner);
}

/// Returns the default run of the process, if one is installed and not yet dropped.
pub(crate) fn process_run() -> Option<RunState> {
    let inner = PROCESS_RUN.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
    Some(RunState { inner })
}
