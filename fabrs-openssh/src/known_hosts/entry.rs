//! A single line of a `known_hosts` file.

use data_encoding::BASE64;

use crate::location::Location;

use super::host_matcher::HostMatcher;
use super::host_name::HostName;
use crate::host_key::HostKey;

/// A parsed line: the matched hosts, a key, and an optional marker.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) at: Location,
    pub(super) marker: Option<Marker>,
    pub(super) hosts: HostMatcher,
    pub(super) key: HostKey,
}

/// The `@` marker at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marker {
    /// The key signs the certificates of the matched hosts (`@cert-authority`).
    CertAuthority,
    /// The key is revoked for the matched hosts (`@revoked`).
    Revoked,
}

impl Entry {
    /// Returns the location of the line.
    pub fn location(&self) -> &Location {
        &self.at
    }

    /// Returns the marker, or `None` for a plain host key.
    pub fn marker(&self) -> Option<Marker> {
        self.marker
    }

    /// Returns the key.
    pub fn key(&self) -> &HostKey {
        &self.key
    }

    /// Returns true if the line matches `name`.
    pub fn matches(&self, name: &HostName) -> bool {
        self.hosts.matches(&name.to_string())
    }

    /// Parses a line. Returns `None` for a blank line or a comment. The error is the reason.
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
            // `ssh` requires a space after a marker and ignores lines with a tab. This parser
            // accepts a tab, because an ignored `@revoked` line would permit a revoked key.
            Some(rest) => {
                let (word, rest) = split_field(rest);
                let marker = match word {
                    "cert-authority" => Marker::CertAuthority,
                    "revoked" => Marker::Revoked,
                    _ => return Err(format!("unknown marker `@{word}`")),
                };
                (Some(marker), rest)
            }
        };
        let (hosts, rest) = split_field(line);
        let (algorithm, rest) = split_field(rest);
        let (key, _comment) = split_field(rest);
        if key.is_empty() {
            return Err("the key is missing".to_owned());
        }
        if hosts.starts_with('@') {
            return Err("the line has more than one marker".to_owned());
        }
        let hosts = HostMatcher::parse(hosts)?;
        let blob = BASE64.decode(key.as_bytes()).map_err(|_| "the key is not valid base64")?;
        let key = HostKey::from_blob(blob).map_err(|error| error.to_string())?;
        if key.algorithm() != algorithm {
            return Err(format!("the line has the type `{algorithm}`, but its key has the type `{}`", key.algorithm()));
        }
        Ok(Self { at: at.clone(), marker, hosts, key })
    }
}

/// Splits a line into its first field and the rest.
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
    fn blank_lines_and_comments_are_not_entries() {
        for line in ["", "  \t", "# web1", "  # web1", "\r"] {
            assert!(parse(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn malformed_lines_have_a_reason() {
        #[track_caller]
        fn case(line: &str, problem: &str) {
            let error = parse(line).expect("the line is not blank").expect_err("the line is broken");
            assert!(error.contains(problem), "{line}: {error}");
        }
        case("web1", "the key is missing");
        case("web1 ssh-ed25519", "the key is missing");
        case("web1 1024 35 1234567890", "base64");
        case("web1 ssh-ed25519 !!!!", "base64");
        case("web1 ssh-ed25519 AAAA", "not a public key");
        case(&format!("@trusted web1 {KEY}"), "unknown marker");
        case(&format!("@revoked @revoked web1 {KEY}"), "more than one marker");
        case(&format!("|1|x|y {KEY}"), "hashed name");
        case("web1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAAXg=", "has the type `ssh-ed25519`");
    }
}
