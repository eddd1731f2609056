//! Starting a part, and what it is told.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

/// The first argument of a part.
pub(super) const MARK: &str = "--fabrs-demo-part";

/// Whether `arrive` was called, so that a program that is started again will know its part.
pub(super) static ARRIVED: AtomicBool = AtomicBool::new(false);

/// Tells whether `arrive` was called.
pub(crate) fn has_arrived() -> bool {
    ARRIVED.load(Ordering::Relaxed)
}

/// Returns the words after a program's name that make it play a part.
pub(crate) fn words(part: &str) -> [&str; 2] {
    [MARK, part]
}

/// Returns a command that plays a part, told what it needs.
pub(crate) fn part(program: &str, part: &str, told: &impl Serialize) -> serde_json::Result<Command> {
    let mut command = Command::new(program);
    command.args(words(part)).arg(serde_json::to_string(told)?);
    Ok(command)
}

/// Reads what [`part`] was told.
pub(crate) fn told<T: serde::de::DeserializeOwned>(argument: Option<OsString>) -> serde_json::Result<T> {
    serde_json::from_str(&argument.unwrap_or_default().to_string_lossy())
}
