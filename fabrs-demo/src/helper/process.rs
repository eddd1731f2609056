//! Starting a part, and what it is told.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

/// The first argument of a part.
pub(super) const HELPER_ARGUMENT: &str = "--fabrs-demo-helper";

/// Whether `arrive` was called, so that a program that is started again will know its part.
pub(super) static DISPATCHED: AtomicBool = AtomicBool::new(false);

/// Tells whether `arrive` was called.
pub(crate) fn is_dispatched() -> bool {
    DISPATCHED.load(Ordering::Relaxed)
}

/// Returns the words after a program's name that make it play a part.
pub(crate) fn helper_args(helper: &str) -> [&str; 2] {
    [HELPER_ARGUMENT, helper]
}

/// Returns a command that plays a part, told what it needs.
pub(crate) fn helper_command(program: &str, helper: &str, argument: &impl Serialize) -> serde_json::Result<Command> {
    let mut command = Command::new(program);
    command.args(helper_args(helper)).arg(serde_json::to_string(argument)?);
    Ok(command)
}

/// Reads what [`part`] was told.
pub(crate) fn parse_argument<T: serde::de::DeserializeOwned>(argument: Option<OsString>) -> serde_json::Result<T> {
    serde_json::from_str(&argument.unwrap_or_default().to_string_lossy())
}
