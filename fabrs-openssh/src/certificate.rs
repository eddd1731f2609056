//! What a certificate says, as far as it has to be judged, and what may be wrong with it.
//!
//! The bytes are read, and signatures checked, by whoever speaks the protocol. [`HostCertificate`] takes what was read;
//! [`KnownHosts::judge`](crate::known_hosts::KnownHosts::judge) says whether it counts.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use crate::host_key::HostKey;
use crate::pattern;

/// The last second that has a date with a year of four digits.
const LAST_DATE: u64 = 253_402_300_799;
/// How many names of a certificate are shown.
const NAMES_SHOWN: usize = 8;

/// The certificate of a host. It is worth nothing until its signature was checked and it was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificate {
    /// The key that it is about.
    pub key: HostKey,
    /// The key that has signed it.
    pub authority: HostKey,
    /// The serial number; 0 if the authority gave none.
    pub serial: u64,
    /// The key ID: free text of the authority, used in revocation lists and logs.
    pub key_id: String,
    /// Whether it was made for a host, and not for a user.
    pub is_for_host: bool,
    /// The hosts that it is for; `*` and `?` are wildcards.
    pub names: Vec<String>,
    /// When it is valid.
    pub validity: Validity,
    /// The names of its critical options. None is known for hosts.
    pub critical_options: Vec<String>,
    /// The algorithm of its signature, such as `rsa-sha2-512`.
    pub signature_algorithm: String,
}

/// When a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second of it.
    pub from: u64,
    /// The first second after it; the greatest number for no end.
    pub until: u64,
}

/// What keeps a certificate from counting, shown as the end of a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It was made for a user.
    NotForHosts,
    /// It is not valid yet.
    NotYetValid {
        /// When it will be.
        from: u64,
    },
    /// It is not valid any more.
    Expired {
        /// Since when it is not.
        since: u64,
    },
    /// It is for no host at all. `ssh` before 10.3 took this for every host.
    NoNames,
    /// It is for other hosts.
    OtherNames {
        /// The hosts that it is for.
        names: Vec<String>,
    },
    /// It has critical options, which nobody may accept without knowing them.
    CriticalOptions {
        /// Their names.
        names: Vec<String>,
    },
    /// Its authority has signed it by an algorithm that is not accepted.
    SignatureAlgorithm {
        /// The algorithm.
        name: String,
    },
}

impl Validity {
    /// Says what is wrong with a certificate at a time.
    pub fn flaw_at(self, now: u64) -> Option<Flaw> {
        if now < self.from {
            return Some(Flaw::NotYetValid { from: self.from });
        }
        (now >= self.until).then_some(Flaw::Expired { since: self.until })
    }
}

impl HostCertificate {
    /// Says what keeps the certificate from counting for a host, whoever has signed it.
    ///
    /// `host` is its name in lower case, without a port. `accepted` are the algorithms by which an authority may sign.
    pub fn flaw(&self, host: &str, now: u64, accepted: &[String]) -> Option<Flaw> {
        if !self.is_for_host {
            return Some(Flaw::NotForHosts);
        }
        if let Some(flaw) = self.validity.flaw_at(now) {
            return Some(flaw);
        }
        if self.names.is_empty() {
            return Some(Flaw::NoNames);
        }
        if !self.names.iter().any(|name| pattern::matches(host, name)) {
            return Some(Flaw::OtherNames { names: self.names.clone() });
        }
        if !self.critical_options.is_empty() {
            return Some(Flaw::CriticalOptions { names: self.critical_options.clone() });
        }
        let name = &self.signature_algorithm;
        (!accepted.contains(name)).then(|| Flaw::SignatureAlgorithm { name: name.clone() })
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForHosts => f.write_str("it is a user's, and no host's"),
            Self::NotYetValid { from } => write!(f, "it is not valid before {}", Time(*from)),
            Self::Expired { since } => write!(f, "it expired at {}", Time(*since)),
            Self::NoNames => f.write_str("it names no host"),
            Self::OtherNames { names } => write!(f, "it is for {}", Names(names)),
            Self::CriticalOptions { names } => {
                write!(f, "it has critical options that are not known: {}", Names(names))
            }
            Self::SignatureAlgorithm { name } => {
                write!(f, "its authority has signed it by {}, which is not accepted", Names(std::slice::from_ref(name)))
            }
        }
    }
}

/// Displays a point in time, also where it is beyond all dates.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > LAST_DATE {
            return f.write_str("the end of time");
        }
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

/// Displays the first of names that a stranger wrote, which may hold anything.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().take(NAMES_SHOWN).enumerate() {
            let lead = if n == 0 { "" } else { ", " };
            write!(f, "{lead}`{}`", name.escape_debug())?;
        }
        match self.0.len().checked_sub(NAMES_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flaw, HostCertificate, HostKey, Validity};

    const ACCEPTED: &str = "ssh-ed25519";

    fn good() -> HostCertificate {
        let key = |id| HostKey::from_blob([&b"\0\0\0\x0bssh-ed25519\0\0\0\x01"[..], &[id]].concat()).expect("a key");
        HostCertificate {
            key: key(1),
            authority: key(2),
            serial: 1,
            key_id: "web1".to_owned(),
            is_for_host: true,
            names: vec!["web1".to_owned(), "*.example.com".to_owned()],
            validity: Validity { from: 100, until: 200 },
            critical_options: Vec::new(),
            signature_algorithm: ACCEPTED.to_owned(),
        }
    }

    #[track_caller]
    fn case(certificate: &HostCertificate, host: &str, now: u64, expected: Option<&str>) {
        let flaw = certificate.flaw(host, now, &[ACCEPTED.to_owned()]);
        assert_eq!(flaw.map(|flaw| flaw.to_string()).as_deref(), expected, "{host} at {now}");
    }

    #[test]
    fn a_certificate_counts_for_its_hosts_while_it_is_valid() {
        case(&good(), "web1", 100, None);
        case(&good(), "a.example.com", 199, None);
        case(&good(), "web1", 99, Some("it is not valid before 1970-01-01T00:01:40Z"));
        case(&good(), "web1", 200, Some("it expired at 1970-01-01T00:03:20Z"));
        case(&good(), "web2", 100, Some("it is for `web1`, `*.example.com`"));
        case(&good(), "example.com", 100, Some("it is for `web1`, `*.example.com`"));
    }

    #[test]
    fn what_a_certificate_may_not_be_or_have_is_named() {
        case(&HostCertificate { is_for_host: false, ..good() }, "web1", 100, Some("it is a user's, and no host's"));
        case(&HostCertificate { names: Vec::new(), ..good() }, "web1", 100, Some("it names no host"));
        let critical_options = vec!["force-command".to_owned()];
        let text = "it has critical options that are not known: `force-command`";
        case(&HostCertificate { critical_options, ..good() }, "web1", 100, Some(text));
        let signature_algorithm = "ssh-rsa".to_owned();
        let text = "its authority has signed it by `ssh-rsa`, which is not accepted";
        case(&HostCertificate { signature_algorithm, ..good() }, "web1", 100, Some(text));
    }

    #[test]
    fn strangers_names_are_shown_without_what_a_terminal_would_obey_and_not_all() {
        let names = (0..20).map(|n| format!("\x1b[2J{n}")).collect();
        let text = Flaw::OtherNames { names }.to_string();
        assert!(text.starts_with("it is for `\\u{1b}[2J0`, ") && text.ends_with("`\\u{1b}[2J7` and 12 more"), "{text}");
    }

    #[test]
    fn times_beyond_all_dates_are_shown() {
        let flaw = |from| Validity { from, until: u64::MAX }.flaw_at(0).expect("it is not valid yet").to_string();
        assert_eq!(flaw(u64::MAX), "it is not valid before the end of time");
        assert_eq!(flaw(253_402_300_799), "it is not valid before 9999-12-31T23:59:59Z");
        assert_eq!(flaw(253_402_300_800), "it is not valid before the end of time");
    }
}
