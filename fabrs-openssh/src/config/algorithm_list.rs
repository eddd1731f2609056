//! Algorithm lists such as the value of `Ciphers`: names and patterns that replace or modify a
//! default.

use std::fmt;

use crate::location::Location;
use crate::pattern;

use super::known_algorithms::{ALL_CA_SIGNATURES, DEFAULT_CA_SIGNATURES, KEY_ALGORITHMS, KnownAlgorithms};
use super::value::Problem;

/// A list of algorithms: `Ciphers`, `MACs`, `KexAlgorithms`, `HostKeyAlgorithms`,
/// `PubkeyAcceptedAlgorithms`.
///
/// The list replaces the default list. With `+`, it appends to the default list. With `-`, it
/// removes algorithms, and with `^`, it moves algorithms to the front. Displays as written in the
/// file.
///
/// ```
/// use fabrs_openssh::config::{Query, SshConfig};
///
/// let config = SshConfig::parse("Ciphers -*-cbc,3des*\nMACs ^hmac-sha2-256\n", "config")?;
/// let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice"))?;
/// let ciphers = web1.ciphers.expect("the keyword is set");
/// assert_eq!(ciphers.select(&["aes128-ctr", "aes128-cbc"], &["aes128-ctr", "aes128-cbc"]), ["aes128-ctr"]);
/// let macs = web1.macs.expect("the keyword is set");
/// assert_eq!(macs.select(&["hmac-sha2-512"], &["hmac-sha2-256"]), ["hmac-sha2-256", "hmac-sha2-512"]);
/// # Ok::<(), fabrs_openssh::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlgorithmList {
    operation: ListOperation,
    patterns: String,
    at: Location,
}

/// The effect of a list on the default list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListOperation {
    Replace,
    Append,
    Prepend,
    Remove,
}

impl AlgorithmList {
    /// Parses a list of known algorithm names.
    pub(super) fn parse(text: &str, known: KnownAlgorithms, at: &Location) -> Result<Self, Problem> {
        let operations = [('+', ListOperation::Append), ('-', ListOperation::Remove), ('^', ListOperation::Prepend)];
        let operation = operations.iter().find(|(sign, _)| text.starts_with(*sign));
        let (operation, patterns) =
            operation.map_or((ListOperation::Replace, text), |(_, operation)| (*operation, &text[1..]));
        let is_known = |name: &str| {
            let matches = |known: &&str| pattern::matches(known, name);
            known.names.contains(&name)
                || (known.allows_patterns && is_pattern(name) && known.names.iter().any(matches))
        };
        let list = Self { operation, patterns: patterns.to_owned(), at: at.clone() };
        let problem = match (list.names().find(|name| !is_known(name)), list.names().next()) {
            // Like `ssh`, accept unknown names in a list of algorithms to remove.
            _ if operation == ListOperation::Remove => None,
            (Some(unknown), _) => Some(format!("unknown algorithm `{unknown}`")),
            (None, None) => Some(format!("no algorithm in `{text}`")),
            (None, Some(_)) => None,
        };
        problem.map_or(Ok(list), Err)
    }

    /// Applies the list to `defaults` and returns the algorithms to use, in order of preference.
    ///
    /// A name in the list is used only if `supported` contains the name. The result may be empty.
    pub fn select(&self, defaults: &[&str], supported: &[&str]) -> Vec<String> {
        if self.operation == ListOperation::Remove {
            let kept = defaults.iter().filter(|name| !pattern::list_matches(name, &self.patterns));
            return kept.map(|&name| name.to_owned()).collect();
        }
        let requested =
            self.names().flat_map(|requested| supported.iter().filter(|name| pattern::matches(name, requested)));
        let defaults = defaults.iter();
        let all: Vec<&&str> = match self.operation {
            ListOperation::Append => defaults.chain(requested).collect(),
            ListOperation::Prepend => requested.chain(defaults).collect(),
            ListOperation::Replace | ListOperation::Remove => requested.collect(),
        };
        let mut selected: Vec<String> = Vec::new();
        for name in all {
            if !selected.iter().any(|known| known == name) {
                selected.push((*name).to_owned());
            }
        }
        selected
    }

    /// Returns true if the list keeps the order of the default list, as `+` and `-` do.
    pub fn keeps_default_order(&self) -> bool {
        matches!(self.operation, ListOperation::Append | ListOperation::Remove)
    }

    /// Returns the location of the list in the file.
    pub fn location(&self) -> &Location {
        &self.at
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.patterns.split(',').filter(|name| !name.is_empty())
    }
}

impl fmt::Display for AlgorithmList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.operation {
            ListOperation::Replace => "",
            ListOperation::Append => "+",
            ListOperation::Prepend => "^",
            ListOperation::Remove => "-",
        };
        write!(f, "{sign}{}", self.patterns)
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '!'])
}

/// Parses a `CASignatureAlgorithms` list and returns the resulting names without duplicates.
pub(super) fn parse_ca_signatures(text: &str, at: &Location) -> Result<Vec<String>, Problem> {
    Ok(AlgorithmList::parse(text, KEY_ALGORITHMS, at)?.select(&DEFAULT_CA_SIGNATURES, &ALL_CA_SIGNATURES))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::location::Location;

    use super::{AlgorithmList, DEFAULT_CA_SIGNATURES, KEY_ALGORITHMS, KnownAlgorithms, parse_ca_signatures};
    use crate::config::known_algorithms::{CIPHERS, KEX_ALGORITHMS, MACS};

    fn at() -> Location {
        Location { file: Path::new("config").into(), line: 1 }
    }

    #[test]
    fn a_list_replaces_the_default_or_changes_it() {
        #[track_caller]
        fn case(text: &str, expected: &[&str]) {
            assert_eq!(parse_ca_signatures(text, &at()).expect("the list is valid"), expected, "{text}");
        }
        let with = |name| [&DEFAULT_CA_SIGNATURES[..], &[name]].concat();
        case("ssh-ed25519", &["ssh-ed25519"]);
        case("rsa-sha2-*,ssh-ed25519,rsa-sha2-256", &["rsa-sha2-256", "rsa-sha2-512", "ssh-ed25519"]);
        case("+ssh-rsa,ssh-ed25519", &with("ssh-rsa"));
        case("-none", &DEFAULT_CA_SIGNATURES);
        case("-*-nistp*,rsa*,sk*", &["ssh-ed25519"]);
        case("-*", &[]);
        assert_eq!(parse_ca_signatures("^ssh-rsa", &at()).expect("the list is valid")[..2], ["ssh-rsa", "ssh-ed25519"]);
        assert_eq!(
            parse_ca_signatures("^rsa-sha2-256", &at()).expect("the list is valid").len(),
            DEFAULT_CA_SIGNATURES.len()
        );
    }

    #[test]
    fn unknown_names_are_rejected() {
        #[track_caller]
        fn case(known: KnownAlgorithms, text: &str, is_good: bool) {
            assert_eq!(AlgorithmList::parse(text, known, &at()).is_ok(), is_good, "{text:?}");
        }
        for text in ["", ",", "+", "^", "foo", "ssh-ed25519,foo", "+foo", "Ssh-ed25519", "foo*"] {
            case(KEY_ALGORITHMS, text, false);
        }
        for text in ["ssh-*", "-foo", "+ssh-rsa", "rsa-sha2-512-cert-v01@openssh.com"] {
            case(KEY_ALGORITHMS, text, true);
        }
        // For these keywords, `ssh` accepts patterns only in lists with `-`.
        for (known, name) in [(CIPHERS, "aes128-ctr"), (MACS, "hmac-sha2-256"), (KEX_ALGORITHMS, "curve25519-sha256")] {
            case(known, name, true);
            case(known, &format!("^{name},,"), true);
            case(known, "-*sha*", true);
            case(known, &name.replace("256", "*"), name == "aes128-ctr");
            for text in ["none", "+none", "*", &format!("!{name}"), "x"] {
                case(known, text, false);
            }
        }
    }
}
