//! [`env_var`]: environment variables of this machine as inputs of a task.

use std::env;

use crate::connection::current;
use crate::error::{Error, ErrorKind, Result};

/// Reads an environment variable of this machine. The fingerprint of an approval includes the
/// value: `--yes=FINGERPRINT` does not approve a run with another value.
///
/// Read the variable before [`Client::approve`](crate::Client::approve) or a deploy is awaited.
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
/// [`ErrorKind::Usage`] if the variable is not set or not UTF-8. [`ErrorKind::Prompt`] if the run
/// was already approved by a fingerprint, since the fingerprint can't include the value.
#[track_caller]
pub fn env_var(name: &str) -> Result<String> {
    let value = env::var(name);
    let location = std::panic::Location::caller();
    if let Some(client) = current().client() {
        if client.is_approved_by_fingerprint() {
            let text =
                format!("the environment variable `{name}` was read after the run was approved by its fingerprint");
            let error = Error::new(ErrorKind::Prompt, text).at(location);
            return Err(error.hint(
                "read the variable in a task with `defer_approval` before the approval, or approve the run with `-y`",
            ));
        }
        let shown = value.as_deref().map_or_else(ToString::to_string, |value| format!("is {value}"));
        client.add_fingerprint_part(format!("environment variable {name} {shown}"));
    }
    value.map_err(|source| {
        let error = Error::new(ErrorKind::Usage, format!("could not read the environment variable `{name}`"));
        error.at(location).caused_by(source)
    })
}
