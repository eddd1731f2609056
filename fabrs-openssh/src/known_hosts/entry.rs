//! One line of a `known_hosts` file.

use data_encoding::BASE64;

use crate::location::Location;

use super::host_matcher::HostMatcher;
use super::host_name::HostName;
use crate::host_key::HostKey;

/// A line that could be read: hosts, a key, and what the key is good for.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) at: Location,
    pub(super) marker: Option<Marker>,
    pub(super) hosts: HostMatcher,
    pub(super) key: HostKey,
}

/// What the `@` word before a line makes of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marker {
    /// The key signs the certificates of these hosts (`@cert-authority`).
    CertAuthority,
    /// The key must never be accepted from these hosts (`@revoked`).
    Revoked,
}

impl Entry {
    /// The line.
    pub fn location(&self) -> &Location {
        &self.at
    }

    /// What the key is good for, if it is not simply that of the hosts.
    pub fn marker(&self) -> Option<Marker> {
        self.marker
    }

    /// The key.
    pub fn key(&self) -> &HostKey {
        &self.key
    }

    /// Says whether the line is about `name`.
    pub fn matches(&self, name: &HostName) -> bool {
        self.hosts.matches(&name.to_string())
    }

    /// Reads a line; `None` if it is blank or a comment. The error says what is wrong with it.
    pub(super) fn parse(line: &str, at: &Location) -> Option<Result<Self, String>> {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        Some(Self::parse_fields(line, at))
    }

    fn parse_fields(line: &str, at: &Location) -> Result<Self, String> {
        let (marker, line) = match line.strip_prefix('@') {
            None => (None, line),
            // After a marker `ssh` wants a space, and passes a line with a tab over; a revoked key must not get by so.
            Some(rest) => {
                let (word, rest) = split_field(rest);
                let marker = match word {
                    "cert-authority" => Marker::CertAuthority,
                    "revoked" => Marker::Revoked,
                    _ => return Err(format!("`@{word}` is no marker")),
                };
                (Some(marker), rest)
            }
        };
        let (hosts, rest) = split_field(line);
        let (algorithm, rest) = split_field(rest);
        let (key, _comment) = split_field(rest);
        if key.is_empty() {
            return Err("the line ends before its key".to_owned());
        }
        if hosts.starts_with('@') {
            return Err("a line has one marker".to_owned());
        }
        let hosts = HostMatcher::parse(hosts)?;
        let blob = BASE64.decode(key.as_bytes()).map_err(|_| "the key is not in base64")?;
        let key = HostKey::from_blob(blob).map_err(|error| error.to_string())?;
        if key.algorithm() != algorithm {
            return Err(format!("the line says `{algorithm}`, and its key is of type `{}`", key.algorithm()));
        }
        Ok(Self { at: at.clone(), marker, hosts, key })
    }
}

/// Takes the first field off a line.
fn split_field(line: &str) -> (&str, &str) {
    match line.split_once([' ', '\t']) {
        Some((field, rest)) => (field, rest.trim_start_matches([' ', '\t'])),
        None => (line, ""),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::location::Location;

    use super::{Entry, Marker};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=";

    fn parse(line: &str) -> Option<Result<Entry, String>> {
        Entry::parse(line, &Location { file: Path::new("known_hosts").into(), line: 1 })
    }

    #[test]
    fn lines_may_have_markers_blanks_and_comments() {
        #[track_caller]
        fn case(line: &str, marker: Option<Marker>) {
            let entry = parse(line).expect("the line is not blank").expect("the line is well formed");
            assert_eq!(entry.marker(), marker, "{line}");
            assert_eq!(entry.key().to_string(), KEY, "{line}");
        }
        case(&format!("web1 {KEY}"), None);
        case(&format!("  web1\t \t{KEY} alice@here # old\r"), None);
        case(&format!("@revoked web1 {KEY}"), Some(Marker::Revoked));
        case(&format!("@cert-authority\t*.example.com {KEY}"), Some(Marker::CertAuthority));
    }

    #[test]
    fn blank_lines_and_comments_are_no_entries() {
        for line in ["", "  \t", "# web1", "  # web1", "\r"] {
            assert!(parse(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn broken_lines_say_what_is_wrong() {
        #[track_caller]
        fn case(line: &str, problem: &str) {
            let error = parse(line).expect("the line is not blank").expect_err("the line is broken");
            assert!(error.contains(problem), "{line}: {error}");
        }
        case("web1", "ends before");
        case("web1 ssh-ed25519", "ends before");
        case("web1 1024 35 1234567890", "base64");
        case("web1 ssh-ed25519 !!!!", "base64");
        case("web1 ssh-ed25519 AAAA", "not a public key");
        case(&format!("@trusted web1 {KEY}"), "no marker");
        case(&format!("@revoked @revoked web1 {KEY}"), "one marker");
        case(&format!("|1|x|y {KEY}"), "hashed name");
        case("web1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAAXg=", "of type `ssh-ed25519`");
    }
}
