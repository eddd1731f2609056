//! Several hosts, in a word, and in one result.

use fabrs::{Connection, Error, Host, Outcomes};

/// Returns hosts in a word: the name of one, the number of several.
pub(crate) fn label(hosts: &[Connection]) -> String {
    match hosts {
        [one] => one.host().map_or_else(String::new, |host| host.label().to_string()),
        several => format!("{} hosts", several.len()),
    }
}

/// Returns the values of all hosts, or the error of the one that failed; of several, one that names them all.
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
