//! Host certificates, and the checks of their contents.
//!
//! The caller parses the certificate and verifies its signature. [`HostCertificate`] holds the
//! parsed fields.
//! [`KnownHosts::check_certificate`](crate::known_hosts::KnownHosts::check_certificate) decides if
//! a certificate is trusted.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use crate::host_key::HostKey;
use crate::pattern;

/// The last second with a four-digit year. `humantime` cannot format later times.
const MAX_DATE_SECONDS: u64 = 253_402_300_799;
/// The maximum number of names displayed in one problem.
const MAX_NAMES_SHOWN: usize = 8;

/// A certificate of a host. Trust a certificate only after a check of its content and its
/// signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificate {
    /// The certified key.
    pub key: HostKey,
    /// The key of the signing authority.
    pub authority: HostKey,
    /// The serial number. 0 means that the authority assigned no number.
    pub serial: u64,
    /// The key ID: free text of the authority, used in revocation lists and logs.
    pub key_id: String,
    /// True for a host certificate, false for a user certificate.
    pub is_for_host: bool,
    /// The patterns of valid host names. `*` and `?` are wildcards.
    pub principals: Vec<String>,
    /// The validity period.
    pub validity: Validity,
    /// The names of the critical options. OpenSSH defines no critical options for hosts.
    pub critical_options: Vec<String>,
    /// The signature algorithm, such as `rsa-sha2-512`.
    pub signature_algorithm: String,
}

/// A validity period in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first valid second.
    pub from: u64,
    /// The first second after the period. `u64::MAX` means no end.
    pub until: u64,
}

/// The reason to reject a certificate. Displays as a clause such as `it expired at …`, with "it"
/// for the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// The certificate is a user certificate.
    UserCertificate,
    /// The validity period has not started.
    NotYetValid {
        /// The start of the period.
        from: u64,
    },
    /// The validity period has ended.
    Expired {
        /// The end of the period.
        since: u64,
    },
    /// The certificate lists no host. `ssh` before 10.3 accepted such a certificate for every host.
    NoPrincipals,
    /// The certificate lists only other hosts.
    OtherPrincipals {
        /// The host patterns in the certificate.
        principals: Vec<String>,
    },
    /// The certificate has unknown critical options. A client must reject them.
    CriticalOptions {
        /// The names of the options.
        names: Vec<String>,
    },
    /// The authority signed with an algorithm outside the accepted list.
    SignatureAlgorithm {
        /// The algorithm.
        name: String,
    },
}

impl Validity {
    /// Returns the problem with the period at the time `now`, or `None` within the period.
    pub fn problem_at(self, now: u64) -> Option<CertificateProblem> {
        if now < self.from {
            return Some(CertificateProblem::NotYetValid { from: self.from });
        }
        (now >= self.until).then_some(CertificateProblem::Expired { since: self.until })
    }
}

impl HostCertificate {
    /// Returns the first problem of the certificate for `host`, regardless of the authority.
    ///
    /// `host` is a host name in lower case, without a port. `now` is in seconds since 1970.
    /// `accepted` lists the allowed signature algorithms of an authority (`CASignatureAlgorithms`).
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
            Self::UserCertificate => f.write_str("it is a user certificate, not a host certificate"),
            Self::NotYetValid { from } => write!(f, "it is not valid before {}", Timestamp(*from)),
            Self::Expired { since } => write!(f, "it expired at {}", Timestamp(*since)),
            Self::NoPrincipals => f.write_str("it lists no host"),
            Self::OtherPrincipals { principals } => write!(f, "it is for {}", NameList(principals)),
            Self::CriticalOptions { names } => {
                write!(f, "it has unknown critical options: {}", NameList(names))
            }
            Self::SignatureAlgorithm { name } => {
                write!(f, "its signature algorithm {} is not accepted", NameList(std::slice::from_ref(name)))
            }
        }
    }
}

/// A time in seconds since 1970. Times after the year 9999 display as `the year 10000`.
struct Timestamp(u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > MAX_DATE_SECONDS {
            return f.write_str("the year 10000");
        }
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

/// An untrusted list. Displays the first names, with control characters escaped.
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
    fn a_certificate_is_valid_for_its_hosts_within_its_period() {
        case(&good(), "web1", 100, None);
        case(&good(), "a.example.com", 199, None);
        case(&good(), "web1", 99, Some("it is not valid before 1970-01-01T00:01:40Z"));
        case(&good(), "web1", 200, Some("it expired at 1970-01-01T00:03:20Z"));
        case(&good(), "web2", 100, Some("it is for `web1`, `*.example.com`"));
        case(&good(), "example.com", 100, Some("it is for `web1`, `*.example.com`"));
    }

    #[test]
    fn every_problem_has_a_message() {
        case(
            &HostCertificate { is_for_host: false, ..good() },
            "web1",
            100,
            Some("it is a user certificate, not a host certificate"),
        );
        case(&HostCertificate { principals: Vec::new(), ..good() }, "web1", 100, Some("it lists no host"));
        let critical_options = vec!["force-command".to_owned()];
        let text = "it has unknown critical options: `force-command`";
        case(&HostCertificate { critical_options, ..good() }, "web1", 100, Some(text));
        let signature_algorithm = "ssh-rsa".to_owned();
        let text = "its signature algorithm `ssh-rsa` is not accepted";
        case(&HostCertificate { signature_algorithm, ..good() }, "web1", 100, Some(text));
    }

    #[test]
    fn untrusted_names_are_shortened_and_have_no_control_characters() {
        let principals = (0..20).map(|n| format!("\x1b[2J{n}")).collect();
        let text = CertificateProblem::OtherPrincipals { principals }.to_string();
        assert!(text.starts_with("it is for `\\u{1b}[2J0`, ") && text.ends_with("`\\u{1b}[2J7` and 12 more"), "{text}");
    }

    #[test]
    fn times_after_the_year_9999_are_displayed() {
        let problem = |from| {
            Validity { from, until: u64::MAX }.problem_at(0).expect("the certificate is not valid yet").to_string()
        };
        assert_eq!(problem(u64::MAX), "it is not valid before the year 10000");
        assert_eq!(problem(253_402_300_799), "it is not valid before 9999-12-31T23:59:59Z");
        assert_eq!(problem(253_402_300_800), "it is not valid before the year 10000");
    }
}
