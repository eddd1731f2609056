//! Helpers for groups: one result for all hosts, and a short label.

use fabrs::{Connection, Error, Host, Outcomes};

/// Returns a label for hosts: the name of a single host, or the number of several.
pub(crate) fn label(hosts: &[Connection]) -> String {
    match hosts {
        [host] => host.host().map_or_else(String::new, |host| host.label().to_string()),
        several => format!("{} hosts", several.len()),
    }
}

/// Returns the values of all hosts, or an error. A single failure is returned unchanged. Several
/// failures become a single error with all failed hosts.
///
/// # Errors
///
/// As [`Outcomes::all_ok`].
pub(crate) fn all_ok<T>(outcomes: Outcomes<T>) -> Result<Vec<(Host, T)>, Error> {
    let mut failed = outcomes.failed();
    if let (Some((_, outcome)), None) = (failed.next(), failed.next())
        && let Some(error) = outcome.error()
    {
        return Err(error.clone());
    }
    drop(failed);
    outcomes.all_ok()
}
