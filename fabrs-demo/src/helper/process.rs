//! Command lines of helper processes.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

/// The first argument of a helper process.
pub(super) const HELPER_ARGUMENT: &str = "--fabrs-demo-helper";

/// True after a call of `run_helper`. If the program never calls `run_helper`, a restarted program
/// would not act as a helper.
pub(super) static DISPATCHED: AtomicBool = AtomicBool::new(false);

/// Returns `true` if `run_helper` was called.
pub(crate) fn is_dispatched() -> bool {
    DISPATCHED.load(Ordering::Relaxed)
}

/// Returns the arguments that select a helper.
pub(crate) fn helper_args(helper: &str) -> [&str; 2] {
    [HELPER_ARGUMENT, helper]
}

/// Returns the command for a helper, with `argument` serialized as JSON.
pub(crate) fn helper_command(program: &str, helper: &str, argument: &impl Serialize) -> serde_json::Result<Command> {
    let mut command = Command::new(program);
    command.args(helper_args(helper)).arg(serde_json::to_string(argument)?);
    Ok(command)
}

/// Parses the JSON argument of a helper.
pub(crate) fn parse_argument<T: serde::de::DeserializeOwned>(argument: Option<OsString>) -> serde_json::Result<T> {
    serde_json::from_str(&argument.unwrap_or_default().to_string_lossy())
}
