//! [`GroupedErrors`]: equal errors of several hosts as a block.

use std::fmt::Write as _;

use crate::controls::escape_except_colours;
use crate::error::block;
use crate::error::error::Error;
use crate::error::kind::ErrorKind;
use crate::error::masked::{HOST, Mask, masked};
use crate::host::Host;

/// The maximum width of the host names in the first line of a block, in columns.
const MAX_NAMES_WIDTH: usize = 60;

/// The errors of several hosts, with equal errors in one group.
///
/// Two errors are equal if they have the same kind, message, hint, line of code and unshown output.
/// Names, addresses and ports of the hosts are ignored in the comparison. A block lists different
/// causes of equal errors for each host.
///
/// ```
/// use fabrs_core::error::GroupedErrors;
/// use fabrs_core::{Error, ErrorKind, Host};
///
/// let mut errors = GroupedErrors::default();
/// for name in ["web1", "web2"] {
///     let host: Host = name.parse()?;
///     let error = Error::new(ErrorKind::Exit, "`false` ended with exit status 1").on(&host);
///     errors.add(&host, &error);
/// }
/// assert_eq!(errors.blocks(1), ["error: web1, web2: `false` ended with exit status 1"]);
/// # Ok::<(), fabrs_core::HostError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct GroupedErrors {
    groups: Vec<ErrorGroup>,
}

/// The hosts with an equal error, and the error of each host.
#[derive(Debug, Clone)]
struct ErrorGroup {
    key: ErrorKey,
    occurrences: Vec<(Host, Error)>,
}

/// The parts compared between errors, with placeholders for hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ErrorKey {
    kind: ErrorKind,
    /// The host named in the error, such as a gateway, if it differs from the failed host.
    other_host: Option<Host>,
    message: String,
    details: String,
    hint: Option<String>,
}

impl GroupedErrors {
    /// Adds the error of a host. Returns the first host with an equal error, if any.
    pub fn add(&mut self, host: &Host, error: &Error) -> Option<Host> {
        let key = ErrorKey::of(host, error);
        if let Some(group) = self.groups.iter_mut().find(|group| group.key == key) {
            let first = group.occurrences.first().map(|(host, _)| host.clone());
            group.occurrences.push((host.clone(), error.clone()));
            return first;
        }
        self.groups.push(ErrorGroup { key, occurrences: vec![(host.clone(), error.clone())] });
        None
    }

    /// Returns whether the host already has an equal error.
    pub(crate) fn has(&self, host: &Host, error: &Error) -> bool {
        let key = ErrorKey::of(host, error);
        self.groups.iter().any(|group| group.key == key && group.occurrences.iter().any(|(known, _)| known == host))
    }

    /// Sorts the hosts of each group, then the groups by their first host.
    pub(crate) fn sort_by_key(&mut self, key: impl Fn(&Host) -> usize) {
        let key_of = |(host, _): &(Host, Error)| key(host);
        for group in &mut self.groups {
            group.occurrences.sort_by_key(key_of);
        }
        self.groups.sort_by_key(|group| group.occurrences.first().map(key_of));
    }

    /// Returns a line for each list of causes in each group: the hosts, the message and the causes.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.groups.iter().flat_map(ErrorGroup::lines).collect()
    }

    /// Returns a block for each group of at least `hosts` hosts, in the order of the first errors.
    /// For a group of one host, this is the block of its error.
    pub fn blocks(&self, hosts: usize) -> Vec<String> {
        self.groups
            .iter()
            .filter(|group| group.occurrences.len() >= hosts)
            .map(|group| escape_except_colours(&group.block()).into_owned())
            .collect()
    }
}

impl ErrorKey {
    fn of(host: &Host, error: &Error) -> Self {
        let block = error.block();
        Self {
            kind: error.kind(),
            other_host: error.host().filter(|of| *of != host).cloned(),
            message: masked(host, error, error.message(), Mask::HostsAndPorts),
            details: block.details(),
            hint: block.hint().map(|hint| masked(host, error, hint, Mask::HostsAndPorts)),
        }
    }
}

impl ErrorGroup {
    fn block(&self) -> String {
        let Some((_, first)) = self.occurrences.first() else { return String::new() };
        if self.occurrences.len() == 1 {
            return first.block().to_string();
        }
        let hosts: Vec<&Host> = self.occurrences.iter().map(|(host, _)| host).collect();
        let names = host_list(&hosts);
        let is_short = names.chars().count() <= MAX_NAMES_WIDTH;
        let causes = self.causes();
        let subject = match &self.key.other_host {
            Some(other_host) => other_host.label().to_string(),
            None if is_short => names.clone(),
            None => format!("{} hosts", hosts.len()),
        };
        let mut text = format!("error: {subject}: {}", self.common(|error| error.message().to_owned()));
        let lists_causes = causes.len() > 1;
        if !lists_causes && (self.key.other_host.is_some() || !is_short) {
            // Writing to a string can't fail.
            let _ = write!(text, "\n  hosts: {names}");
        }
        text += &self.key.details;
        for (hosts, causes) in &causes {
            if lists_causes {
                let _ = write!(text, "\n  {}: {}", host_list(hosts), causes.join(": ").replace('\n', "\n    "));
            } else {
                text.extend(causes.iter().map(|cause| block::cause_lines(cause)));
            }
        }
        if self.key.hint.is_some() {
            text += "\nhint: ";
            text += &self.common(|error| error.block().hint().unwrap_or_default().to_owned());
        }
        text
    }

    fn lines(&self) -> Vec<String> {
        let what = self.common(|error| match &self.key.other_host {
            Some(_) => error.to_string(),
            None => error.message().to_owned(),
        });
        let line = |(hosts, causes): (Vec<&Host>, Vec<String>)| {
            let parts: Vec<String> = [host_list(&hosts), what.clone()].into_iter().chain(causes).collect();
            parts.join(": ")
        };
        self.causes().into_iter().map(line).collect()
    }

    /// Returns the common form of a text of all errors in the group, as [`common`].
    fn common(&self, text_of: impl Fn(&Error) -> String) -> String {
        common(&self.occurrences.iter().map(|(host, error)| (host, error, text_of(error))).collect::<Vec<_>>())
    }

    /// Returns each distinct list of causes with the hosts that reported these causes.
    fn causes(&self) -> Vec<(Vec<&Host>, Vec<String>)> {
        type Occurrences<'a> = Vec<&'a (Host, Error)>;

        let mut all: Vec<(Vec<String>, Occurrences<'_>)> = Vec::new();
        for occurrence in &self.occurrences {
            let (host, error) = occurrence;
            let masked = |cause: &String| masked(host, error, cause, Mask::HostsAndPorts);
            let key: Vec<String> = error.causes().iter().map(masked).collect();
            match all.iter_mut().find(|(known, _)| *known == key) {
                Some((_, group)) => group.push(occurrence),
                None => all.push((key, vec![occurrence])),
            }
        }
        let distinct = all.into_iter().map(|(key, group)| {
            let cause = |n: usize| {
                let texts = group.iter().map(|(host, error)| {
                    let cause = error.causes().get(n).cloned().unwrap_or_default();
                    (host, error, cause)
                });
                common(&texts.collect::<Vec<_>>())
            };
            (group.iter().map(|(host, _)| host).collect(), (0..key.len()).map(cause).collect())
        });
        distinct.collect()
    }
}

/// Returns a common text for the texts of several errors. Equal texts are returned unchanged.
/// Otherwise placeholders replace the hosts, and the ports if they differ.
fn common(texts: &[(&Host, &Error, String)]) -> String {
    let Some((host, error, first)) = texts.first() else { return String::new() };
    if texts.iter().all(|(_, _, text)| text == first) {
        return first.clone();
    }
    let with_ports = masked(host, error, first, Mask::Hosts);
    let is_common = texts.iter().all(|(host, error, text)| masked(host, error, text, Mask::Hosts) == with_ports);
    let text = if is_common { with_ports } else { masked(host, error, first, Mask::HostsAndPorts) };
    // A cause may itself be the error of a command on the host, and start with the host. The block
    // names the hosts already.
    text.strip_prefix(&format!("{HOST}: ")).map(str::to_owned).unwrap_or(text)
}

/// Returns the names of hosts in a form accepted by `-H`.
fn host_list(hosts: &[&Host]) -> String {
    hosts.iter().map(|host| host.label().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Cause(String);

    fn host(name: &str) -> Host {
        name.parse().unwrap()
    }

    #[track_caller]
    fn case(errors: &[(&str, Error)], blocks: &[&str]) {
        let mut grouped = GroupedErrors::default();
        for (name, error) in errors {
            let host = host(name);
            let error = if error.host().is_some() { error.clone() } else { error.clone().on(&host) };
            grouped.add(&host, &error);
        }
        assert_eq!(grouped.blocks(1), blocks);
    }

    fn refused(name: &str, address: &str) -> (String, Error) {
        let error = Error::new(ErrorKind::Connect, format!("could not connect to {address} port 2299"));
        let error = error.caused_by(Cause(format!("127.0.0.1:2299: Connection refused ({name})")));
        (name.to_owned(), error.with_address(address).hint(format!("try `ssh -p 2299 ops@{name}`")))
    }

    #[test]
    fn equal_errors_have_one_block_with_all_hosts_and_one_hint() {
        let error = |status| Error::new(ErrorKind::Exit, format!("`x` ended with exit status {status}"));
        case(
            &[("web1", error(3)), ("web2", error(4).hint("look")), ("web3:2222", error(3))],
            &[
                "error: web1, web3:2222: `x` ended with exit status 3",
                "error: web2: `x` ended with exit status 4\nhint: look",
            ],
        );
    }

    #[test]
    fn errors_with_different_host_names_are_equal() {
        let (one, two) = (refused("web1", "10.0.0.1"), refused("web2", "web2.internal"));
        case(
            &[(&one.0, one.1), (&two.0, two.1)],
            &["error: web1, web2: could not connect to HOST port 2299\n  \
               caused by: HOST:2299: Connection refused (HOST)\nhint: try `ssh -p 2299 ops@HOST`"],
        );
    }

    #[test]
    fn errors_with_different_ports_are_equal() {
        let error = |port: u16| {
            let error = Error::new(ErrorKind::Connect, format!("could not connect to 10.0.0.1 port {port}"));
            error.caused_by(Cause(format!("10.0.0.1:{port}: refused")))
        };
        case(
            &[("10.0.0.1:2201", error(2201)), ("10.0.0.1:2202", error(2202))],
            &["error: 10.0.0.1:2201, 10.0.0.1:2202: could not connect to HOST port PORT\n  \
               caused by: HOST:PORT: refused"],
        );
    }

    #[test]
    fn different_causes_are_listed_host_by_host() {
        let error = |key: &str| Error::new(ErrorKind::HostKey, "key not known").caused_by(Cause(key.to_owned()));
        case(
            &[("web1", error("shows A")), ("web2", error("shows B")), ("web3", error("shows A"))],
            &["error: web1, web2, web3: key not known\n  web1, web3: shows A\n  web2: shows B"],
        );
    }

    #[test]
    fn a_host_in_a_cause_is_named_once() {
        let error = |name: &str| {
            let cause = Error::new(ErrorKind::Exit, "`x` ended with exit status 1").on(&host(name));
            Error::new(ErrorKind::Timeout, "`x` did not succeed within 6 seconds").caused_by(cause)
        };
        case(
            &[("web1", error("web1")), ("web2", error("web2"))],
            &["error: web1, web2: `x` did not succeed within 6 seconds\n  caused by: `x` ended with exit status 1"],
        );
    }

    #[test]
    fn many_hosts_are_counted_and_still_named() {
        let errors: Vec<(String, Error)> = (1..=30)
            .map(|n| (format!("web{n}"), Error::new(ErrorKind::Exit, "failed").caused_by(Cause("why".to_owned()))))
            .collect();
        let errors: Vec<(&str, Error)> = errors.iter().map(|(name, error)| (name.as_str(), error.clone())).collect();
        let names = errors.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        case(&errors, &[&format!("error: 30 hosts: failed\n  hosts: {names}\n  caused by: why")]);
    }

    #[test]
    fn a_failed_gateway_is_named_with_its_hosts() {
        let error = Error::new(ErrorKind::Auth, "could not log in").on(&host("bastion"));
        case(&[("web1", error.clone()), ("web2", error)], &["error: bastion: could not log in\n  hosts: web1, web2"]);
    }

    #[test]
    fn an_address_in_a_command_is_not_masked() {
        let error = |n| Error::new(ErrorKind::Exit, format!("`ping 10.0.0.{n}` failed"));
        case(
            &[("web1", error(1)), ("web2", error(2))],
            &["error: web1: `ping 10.0.0.1` failed", "error: web2: `ping 10.0.0.2` failed"],
        );
    }
}
