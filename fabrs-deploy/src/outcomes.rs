//! Helpers for groups: one result for all hosts, and a short label.

use fabrs::{Connection, Error, Host, Outcome, Outcomes};

/// Returns a label for hosts: the name of a single host, or the number of several.
pub(crate) fn label(hosts: &[Connection]) -> String {
    match hosts {
        [host] => host.host().map_or_else(String::new, |host| host.label().to_string()),
        several => format!("{} hosts", several.len()),
    }
}

/// Returns the names of hosts: up to 10 names, then the number of the other hosts.
pub(crate) fn names(hosts: &[Connection]) -> String {
    const MAX_NAMES: usize = 10;
    let shown = hosts.iter().filter_map(Connection::host).take(MAX_NAMES).map(|host| host.label().to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match hosts.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        others => format!("{shown} and {others} more"),
    }
}

/// Returns the values of all hosts, or an error. A single failure is returned unchanged, also if
/// other hosts were not started. Several failures become a single error with all failed hosts.
///
/// # Errors
///
/// As [`Outcomes::all_ok`].
pub(crate) fn all_ok<T>(outcomes: Outcomes<T>) -> Result<Vec<(Host, T)>, Error> {
    // A host is not started after the failure of another host, so the failure is the cause.
    let mut failed = outcomes.failed().filter(|(_, outcome)| !matches!(outcome, Outcome::NotStarted));
    if let (Some((_, outcome)), None) = (failed.next(), failed.next())
        && let Some(error) = outcome.error()
    {
        return Err(error.clone());
    }
    drop(failed);
    outcomes.all_ok()
}

#[cfg(test)]
mod tests {
    use fabrs::transport::{Fake, FakeAnswer};
    use fabrs::{Client, Group};

    use super::*;

    fn group(fake: Fake, hosts: usize) -> Group {
        let client = Client::builder().dial(fake).build();
        Group::of(&client, (1..=hosts).map(|number| format!("web{number}"))).unwrap()
    }

    #[test]
    fn names_of_many_hosts_end_with_a_number() {
        let text = |hosts| names(group(Fake::new(), hosts).connections());
        assert_eq!(text(2), "web1, web2");
        assert!(text(10).ends_with(", web10"), "{}", text(10));
        assert!(text(12).ends_with(", web10 and 2 more"), "{}", text(12));
    }

    #[tokio::test]
    async fn a_single_failure_is_the_error_of_a_group_with_hosts_not_started() {
        let fake = Fake::new().on("go", FakeAnswer::code(1));
        let outcomes = group(fake, 3).serial().stop_on_failure().run("go").await;
        let error = all_ok(outcomes).unwrap_err();
        assert_eq!(error.host().map(ToString::to_string).as_deref(), Some("web1"));
    }
}
