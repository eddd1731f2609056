//! The default run of the process, for code outside a task.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::run_state::{Inner, RunState};

/// The default run. Weak, so that it ends with its last client.
static PROCESS_RUN: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

/// Makes `state` the default run of the process until its last client is dropped.
pub(crate) fn install_process_run(state: &RunState) {
    *PROCESS_RUN.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&state.inner);
}

/// Returns the default run of the process, if one is installed and not yet dropped.
pub(crate) fn process_run() -> Option<RunState> {
    let inner = PROCESS_RUN.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
    Some(RunState { inner })
}
