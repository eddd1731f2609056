//! Environment variables of this machine that decide what a task does.

use std::env;

use crate::connection::current;
use crate::error::{Error, ErrorKind, Result};

/// Reads an environment variable of this machine. Its value is a part of what is approved: `--yes=FINGERPRINT` does not approve
/// a run with another one.
///
/// Read it before [`Client::approve`](crate::Client::approve), or a deploy, is awaited.
///
/// ```
/// # use fabrs_core::{run::env_var, Error};
/// # fn task() -> Result<(), Error> {
/// let flavour = env_var("FLAVOUR")?;
/// # drop(flavour); Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Usage`] if it is not set, or is not UTF-8.
#[track_caller]
pub fn env_var(name: &str) -> Result<String> {
    let value = env::var(name);
    if let Some(client) = current().client() {
        let shown = value.as_deref().map_or_else(|why| why.to_string(), |value| format!("is {value}"));
        client.approval_covers(format!("environment variable {name} {shown}"));
    }
    let location = std::panic::Location::caller();
    value.map_err(|source| {
        let error = Error::new(ErrorKind::Usage, format!("could not read the environment variable `{name}`"));
        error.at(location).caused_by(source)
    })
}
