//! The host field of a `known_hosts` line: patterns or a hashed name.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::pattern;

/// The length of a salt in bytes: the length of a SHA-1 digest, as required by `ssh`.
pub const SALT_LEN: usize = 20;

/// The host field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostMatcher {
    /// A comma-separated list of patterns, in lower case.
    Patterns(String),
    /// A single name, as a salted hash. The name cannot be read, only compared with a given name.
    Hashed { salt: [u8; SALT_LEN], hash: Vec<u8> },
}

impl HostMatcher {
    /// Parses the field. The error describes a malformed hash.
    pub(super) fn parse(field: &str) -> Result<Self, &'static str> {
        let Some(hashed) = field.strip_prefix('|') else {
            return Ok(Self::Patterns(field.to_ascii_lowercase()));
        };
        let (salt, hash) = hashed
            .strip_prefix("1|")
            .and_then(|rest| rest.split_once('|'))
            .ok_or("a hashed name must have the form `|1|salt|hash`")?;
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| "the hashed name is not valid base64");
        let salt = decode(salt)?.try_into().map_err(|_| "the salt of a hashed name must have 20 bytes")?;
        Ok(Self::Hashed { salt, hash: decode(hash)? })
    }

    /// Returns true if the field matches `name`, a name in lower case.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Patterns(list) => pattern::list_matches(name, list),
            Self::Hashed { salt, hash } => digest(name, salt) == *hash,
        }
    }
}

/// Hashes a name in lower case, as `ssh` does with `HashKnownHosts`.
pub(super) fn hash_name(name: &str, salt: &[u8; SALT_LEN]) -> String {
    format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(&digest(name, salt)))
}

fn digest(name: &str, salt: &[u8; SALT_LEN]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes a key of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{HostMatcher, hash_name};

    #[test]
    fn patterns_cover_lists_wildcards_and_ports() {
        #[track_caller]
        fn case(field: &str, name: &str, expected: bool) {
            let hosts = HostMatcher::parse(field).expect("the field is well formed");
            assert_eq!(hosts.matches(name), expected, "`{field}` against `{name}`");
        }
        case("web1,10.0.0.1", "10.0.0.1", true);
        case("WEB1", "web1", true);
        case("*.example.com,!bad.example.com", "web.example.com", true);
        case("*.example.com,!bad.example.com", "bad.example.com", false);
        case("web1", "[web1]:2222", false);
        case("[web1]:2222", "[web1]:2222", true);
        case("[web?]:*", "[web1]:2222", true);
        case("*", "[web1]:2222", true);
    }

    #[test]
    fn hashed_names_match_the_original_name() {
        let hidden = hash_name("web1", &[7; 20]);
        let hosts = HostMatcher::parse(&hidden).expect("the field is well formed");
        assert!(hosts.matches("web1"));
        assert!(!hosts.matches("web2"));
    }

    #[test]
    fn malformed_hashes_are_errors() {
        for field in ["|", "|1|", "|2|AAAA|AAAA", "|1|AAAA|AAAA", "|1|!|!", "|1|AAAA"] {
            assert!(HostMatcher::parse(field).is_err(), "{field}");
        }
    }
}
