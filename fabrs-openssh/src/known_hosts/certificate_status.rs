//! Checks host certificates against the `@cert-authority` and `@revoked` lines.

use crate::certificate::{CertificateProblem, HostCertificate};
use crate::location::Location;

use super::entry::{Entry, Marker};
use super::host_name::HostName;
use super::lookup::KnownHosts;

/// The result of a check of a host certificate against `known_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// A recorded authority of the host signed the certificate, and its content is valid. **The
    /// caller must still verify the signature.**
    Trusted {
        /// The line of the authority.
        at: Location,
    },
    /// A recorded authority of the host signed the certificate, but its content is invalid. `ssh`
    /// then looks up the certified key, as without a certificate.
    Invalid {
        /// The line of the authority.
        at: Location,
        /// The reason.
        problem: CertificateProblem,
    },
    /// No recorded authority of the host signed the certificate. `ssh` then looks up the certified
    /// key.
    UnknownAuthority,
    /// The certified key or the authority is revoked. Reject all keys of the host.
    Revoked {
        /// The `@revoked` line.
        at: Location,
        /// True if the authority is revoked, false if the certified key is revoked.
        is_authority: bool,
    },
}

impl KnownHosts {
    /// Returns the `@cert-authority` lines for a host, without revoked authorities.
    ///
    /// A host on a port other than 22 is looked up as `[host]:port` and as `host`, like a plain
    /// key.
    pub fn authorities_for(&self, name: &HostName) -> Vec<&Entry> {
        let mut found = Vec::new();
        for name in record_names(name) {
            let authorities = self.marked(Marker::CertAuthority, &name);
            found.extend(authorities.filter(|entry| self.revoked(&name, entry.key()).is_none()));
        }
        found
    }

    /// Returns true if an `@cert-authority` or `@revoked` line matches a host.
    ///
    /// A client then offers certificate algorithms to the server first. A revoked key may be the
    /// key of an authority, so `@revoked` lines count too.
    pub fn has_marked_entries(&self, name: &HostName) -> bool {
        let any = |marker| record_names(name).iter().any(|name| self.marked(marker, name).next().is_some());
        any(Marker::CertAuthority) || any(Marker::Revoked)
    }

    /// Checks a certificate against the recorded authorities and revoked keys of a host.
    ///
    /// `now` is in seconds since 1970. `accepted` lists the allowed signature algorithms of an
    /// authority (`CASignatureAlgorithms`). This method does not verify the signature.
    pub fn check_certificate(
        &self,
        name: &HostName,
        certificate: &HostCertificate,
        now: u64,
        accepted: &[String],
    ) -> CertificateStatus {
        for name in record_names(name) {
            for (key, is_authority) in [(&certificate.key, false), (&certificate.authority, true)] {
                if let Some(entry) = self.revoked(&name, key) {
                    return CertificateStatus::Revoked { at: entry.at.clone(), is_authority };
                }
            }
        }
        let authorities = self.authorities_for(name);
        let Some(authority) = authorities.iter().find(|entry| entry.key == certificate.authority) else {
            return CertificateStatus::UnknownAuthority;
        };
        let at = authority.at.clone();
        match certificate.problem_for(name.host(), now, accepted) {
            None => CertificateStatus::Trusted { at },
            Some(problem) => CertificateStatus::Invalid { at, problem },
        }
    }
}

/// Returns the names of a host in `known_hosts`, the name with a port first.
fn record_names(name: &HostName) -> Vec<HostName> {
    [Some(name.clone()), name.without_port()].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{CertificateStatus, HostCertificate, HostName, KnownHosts};
    use crate::certificate::Validity;
    use crate::host_key::HostKey;

    fn key(id: u8) -> HostKey {
        HostKey::from_blob([&b"\0\0\0\x0bssh-ed25519\0\0\0\x01"[..], &[id]].concat()).expect("the key is well formed")
    }

    /// Parses lines with a placeholder for each key: `ed1` is key 1.
    fn known(lines: &[&str]) -> KnownHosts {
        let spelled = |line: &&str| {
            let words = line.split(' ').map(|word| match word.strip_prefix("ed") {
                Some(id) => key(id.parse().expect("keys are numbered")).to_string(),
                None => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        KnownHosts::parse(&lines.iter().map(spelled).collect::<Vec<_>>().join("\n"), "known_hosts")
    }

    /// Returns a certificate of key 1 for `web`, signed by key 9.
    fn certificate() -> HostCertificate {
        HostCertificate {
            key: key(1),
            authority: key(9),
            serial: 1,
            key_id: "web".to_owned(),
            is_for_host: true,
            principals: vec!["web".to_owned()],
            validity: Validity { from: 0, until: 100 },
            critical_options: Vec::new(),
            signature_algorithm: "ssh-ed25519".to_owned(),
        }
    }

    /// Checks the certificate at second 50, and compares the status and its line number.
    #[track_caller]
    fn case(lines: &[&str], name: &HostName, expected: &str) {
        let status = known(lines).check_certificate(name, &certificate(), 50, &["ssh-ed25519".to_owned()]);
        let actual = match &status {
            CertificateStatus::Trusted { at } => format!("trusted by {}", at.line),
            CertificateStatus::Invalid { at, .. } => format!("invalid, by {}", at.line),
            CertificateStatus::UnknownAuthority => "unknown authority".to_owned(),
            CertificateStatus::Revoked { at, is_authority: true } => format!("authority revoked by {}", at.line),
            CertificateStatus::Revoked { at, is_authority: false } => format!("key revoked by {}", at.line),
        };
        assert_eq!(actual, expected, "{name}: {lines:?}");
    }

    #[test]
    fn the_authority_must_be_recorded_for_the_host() {
        let web = HostName::new("web", 22);
        case(&["@cert-authority db,w* ed9"], &web, "trusted by 1");
        case(&["@cert-authority web ed8", "@cert-authority web ed9"], &web, "trusted by 2");
        case(&["@cert-authority web ed8"], &web, "unknown authority");
        case(&["@cert-authority *,!web ed9"], &web, "unknown authority");
        case(&["@cert-authority db ed9"], &web, "unknown authority");
        case(&["web ed9", "web ed1"], &web, "unknown authority");
    }

    #[test]
    fn revocations_take_precedence() {
        let web = HostName::new("web", 22);
        case(&["@cert-authority web ed9", "@revoked * ed9"], &web, "authority revoked by 2");
        case(&["@cert-authority web ed9", "@revoked * ed1"], &web, "key revoked by 2");
        case(&["@cert-authority web ed9", "@revoked db ed9", "@revoked * ed8"], &web, "trusted by 1");
        case(&["@revoked web ed9"], &web, "authority revoked by 1");
        case(
            &["@cert-authority [web]:2222 ed9", "@revoked web ed9"],
            &HostName::new("web", 2222),
            "authority revoked by 2",
        );
    }

    #[test]
    fn ports_are_part_of_recorded_names_but_not_of_principals() {
        let port = HostName::new("web", 2222);
        case(&["@cert-authority [web]:2222 ed9"], &port, "trusted by 1");
        case(&["@cert-authority [web]:2222 ed8", "@cert-authority web ed9"], &port, "trusted by 2");
        case(&["@cert-authority [web]:2223 ed9"], &port, "unknown authority");
        case(&["@cert-authority [web]:2222 ed9"], &HostName::new("web", 22), "unknown authority");
        case(&["@cert-authority * ed9"], &HostName::new("db", 22), "invalid, by 1");
        case(&["@cert-authority web ed9"], &HostName::alias("Web"), "trusted by 1");
    }

    #[test]
    fn certificates_are_requested_from_hosts_with_marked_entries() {
        let has_marked = |lines: &[&str], port| known(lines).has_marked_entries(&HostName::new("web", port));
        assert!(has_marked(&["@cert-authority w* ed9"], 22) && has_marked(&["@cert-authority web ed9"], 2222));
        assert!(has_marked(&["@revoked * ed9"], 22));
        assert!(!has_marked(&["@cert-authority db ed9", "web ed1"], 22));
    }

    #[test]
    fn authorities_are_listed_for_their_hosts() {
        let known = known(&[
            "@cert-authority *.example.com,!bad.example.com ed1",
            "@cert-authority * ed2",
            "@revoked * ed2",
            "@cert-authority [web.example.com]:2222 ed3",
        ]);
        let lines = |name: &HostName| -> Vec<usize> {
            known.authorities_for(name).iter().map(|entry| entry.location().line).collect()
        };
        assert_eq!(lines(&HostName::new("web.example.com", 22)), [1]);
        assert_eq!(lines(&HostName::new("web.example.com", 2222)), [4, 1]);
        assert_eq!(lines(&HostName::new("db.example.com", 2222)), [1]);
        assert!(lines(&HostName::new("bad.example.com", 22)).is_empty());
    }
}
