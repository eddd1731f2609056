//! The default run of the process, for code outside a task.

use std::sync::{Arc, Mutex, Weak};

use super::run_state::{Inner, RunState};
use crate::mutex::lock;

/// The default run. A weak reference, so that the run ends with the last client.
static PROCESS_RUN: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

/// Makes `state` the default run of the process until the last client is dropped.
pub(crate) fn install_process_run(state: &RunState) {
    *lock(&PROCESS_RUN) = Arc::downgrade(&state.inner);
}

/// Returns the default run of the process, if one is installed and not yet dropped.
pub(crate) fn process_run() -> Option<RunState> {
    let inner = lock(&PROCESS_RUN).upgrade()?;
    Some(RunState { inner })
}
