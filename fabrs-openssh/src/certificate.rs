//! What a certificate says, as far as it has to be judged, and what may be wrong with it.
//!
//! The bytes are read, and signatures checked, by whoever speaks the protocol. [`HostCertificate`] takes what was read;
//! [`KnownHosts::check_certificate`](crate::known_hosts::KnownHosts::check_certificate) says whether it counts.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use crate::host_key::HostKey;
use crate::pattern;

/// The last second that has a date with a year of four digits.
const MAX_DATE_SECONDS: u64 = 253_402_300_799;
/// How many names of a certificate are shown.
const MAX_NAMES_SHOWN: usize = 8;

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
    pub principals: Vec<String>,
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
pub enum CertificateProblem {
    /// It was made for a user.
    UserCertificate,
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
    NoPrincipals,
    /// It is for other hosts.
    OtherPrincipals {
        /// The hosts that it is for.
        principals: Vec<String>,
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
    pub fn problem_at(self, now: u64) -> Option<CertificateProblem> {
        if now < self.from {
            return Some(CertificateProblem::NotYetValid { from: self.from });
        }
        (now >= self.until).then_some(CertificateProblem::Expired { since: self.until })
    }
}

impl HostCertificate {
    /// Says what keeps the certificate from counting for a host, whoever has signed it.
    ///
    /// `host` is its name in lower case, without a port. `accepted` are the algorithms by which an authority may sign.
    pub fn problem_for(&self, host: &str, now: u64, accepted: &[String]) -> Option<CertificateProblem> {
        if !self.is_for_host {
            return Some(CertificateProblem::UserCertificate);
        }
        if let Some(problem) = self.validity.problem_at(now) {
            return Some(problem);
        }
        if self.principals.is_empty() {
            return Some(CertificateProblem::NoPrincipals);
        }
        if !self.principals.iter().any(|name| pattern::matches(host, name)) {
            return Some(CertificateProblem::OtherPrincipals { principals: self.principals.clone() });
        }
        if !self.critical_options.is_empty() {
            return Some(CertificateProblem::CriticalOptions { names: self.critical_options.clone() });
        }
        let name = &self.signature_algorithm;
        (!accepted.contains(name)).then(|| CertificateProblem::SignatureAlgorithm { name: name.clone() })
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserCertificate => f.write_str("it is a user's, and no host's"),
            Self::NotYetValid { from } => write!(f, "it is not valid before {}", Timestamp(*from)),
            Self::Expired { since } => write!(f, "it expired at {}", Timestamp(*since)),
            Self::NoPrincipals => f.write_str("it names no host"),
            Self::OtherPrincipals { principals } => write!(f, "it is for {}", NameList(principals)),
            Self::CriticalOptions { names } => {
                write!(f, "it has critical options that are not known: {}", NameList(names))
            }
            Self::SignatureAlgorithm { name } => {
                write!(
                    f,
                    "its authority has signed it by {}, which is not accepted",
                    NameList(std::slice::from_ref(name))
                )
            }
        }
    }
}

/// Displays a point in time, also where it is beyond all dates.
struct Timestamp(u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > MAX_DATE_SECONDS {
            return f.write_str("the end of time");
        }
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

/// Displays the first of names that a stranger wrote, which may hold anything.
struct NameList<'a>(&'a [String]);

impl fmt::Display for NameList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().take(MAX_NAMES_SHOWN).enumerate() {
            let lead = if n == 0 { "" } else { ", " };
            write!(f, "{lead}`{}`", name.escape_debug())?;
        }
        match self.0.len().checked_sub(MAX_NAMES_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CertificateProblem, HostCertificate, HostKey, Validity};

    const ACCEPTED: &str = "ssh-ed25519";

    fn good() -> HostCertificate {
        let key = |id| HostKey::from_blob([&b"\0\0\0\x0bssh-ed25519\0\0\0\x01"[..], &[id]].concat()).expect("a key");
        HostCertificate {
            key: key(1),
            authority: key(2),
            serial: 1,
            key_id: "web1".to_owned(),
            is_for_host: true,
            principals: vec!["web1".to_owned(), "*.example.com".to_owned()],
            validity: Validity { from: 100, until: 200 },
            critical_options: Vec::new(),
            signature_algorithm: ACCEPTED.to_owned(),
        }
    }

    #[track_caller]
    fn case(certificate: &HostCertificate, host: &str, now: u64, expected: Option<&str>) {
        let problem = certificate.problem_for(host, now, &[ACCEPTED.to_owned()]);
        assert_eq!(problem.map(|problem| problem.to_string()).as_deref(), expected, "{host} at {now}");
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
        case(&HostCertificate { principals: Vec::new(), ..good() }, "web1", 100, Some("it names no host"));
        let critical_options = vec!["force-command".to_owned()];
        let text = "it has critical options that are not known: `force-command`";
        case(&HostCertificate { critical_options, ..good() }, "web1", 100, Some(text));
        let signature_algorithm = "ssh-rsa".to_owned();
        let text = "its authority has signed it by `ssh-rsa`, which is not accepted";
        case(&HostCertificate { signature_algorithm, ..good() }, "web1", 100, Some(text));
    }

    #[test]
    fn strangers_names_are_shown_without_what_a_terminal_would_obey_and_not_all() {
        let principals = (0..20).map(|n| format!("\x1b[2J{n}")).collect();
        let text = CertificateProblem::OtherPrincipals { principals }.to_string();
        assert!(text.starts_with("it is for `\\u{1b}[2J0`, ") && text.ends_with("`\\u{1b}[2J7` and 12 more"), "{text}");
    }

    #[test]
    fn times_beyond_all_dates_are_shown() {
        let problem = |from| Validity { from, until: u64::MAX }.problem_at(0).expect("it is not valid yet").to_string();
        assert_eq!(problem(u64::MAX), "it is not valid before the end of time");
        assert_eq!(problem(253_402_300_799), "it is not valid before 9999-12-31T23:59:59Z");
        assert_eq!(problem(253_402_300_800), "it is not valid before the end of time");
    }
}
