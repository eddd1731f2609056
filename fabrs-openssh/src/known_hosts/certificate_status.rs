//! Who may vouch for a host by a certificate, and whether one that it shows counts.

use crate::certificate::{CertificateProblem, HostCertificate};
use crate::location::Location;

use super::entry::{Entry, Marker};
use super::host_name::HostName;
use super::lookup::KnownHosts;

/// What the files say about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// An authority on record for the host has signed it, and nothing is wrong with it. **Its signature is yet to be
    /// checked.**
    Trusted {
        /// The line of the authority.
        at: Location,
    },
    /// An authority on record for the host has signed it, and it does not count. `ssh` then looks the key up that it is
    /// about, as if there were no certificate.
    Invalid {
        /// The line of the authority.
        at: Location,
        /// What is wrong with it.
        problem: CertificateProblem,
    },
    /// No authority on record for the host has signed it. As above, the key is what counts then.
    UnknownAuthority,
    /// Its key or its authority was withdrawn: no key of the host may be accepted.
    Revoked {
        /// The line that says so.
        at: Location,
        /// Whether it is the authority that was withdrawn, and not the host's key.
        is_authority: bool,
    },
}

impl KnownHosts {
    /// Lists the lines of the authorities that may vouch for a host; revoked keys do not count.
    ///
    /// As for plain keys, a host on a port other than 22 goes by `[host]:port`, and by `host` as well.
    pub fn authorities_for(&self, name: &HostName) -> Vec<&Entry> {
        let mut found = Vec::new();
        for name in record_names(name) {
            let authorities = self.marked(Marker::CertAuthority, &name);
            found.extend(authorities.filter(|entry| self.revoked(&name, entry.key()).is_none()));
        }
        found
    }

    /// Says whether a host should be asked for a certificate: an authority is on record for it, or a key was revoked,
    /// which may be an authority's.
    pub fn has_marked_entries(&self, name: &HostName) -> bool {
        let any = |marker| record_names(name).iter().any(|name| self.marked(marker, name).next().is_some());
        any(Marker::CertAuthority) || any(Marker::Revoked)
    }

    /// Says whether the certificate that a host shows counts, at a time in seconds since 1970.
    ///
    /// `accepted` are the algorithms by which an authority may sign (`CASignatureAlgorithms`). The signature is not
    /// checked here.
    pub fn check_certificate(
        &self,
        name: &HostName,
        shown: &HostCertificate,
        now: u64,
        accepted: &[String],
    ) -> CertificateStatus {
        for name in record_names(name) {
            for (key, is_authority) in [(&shown.key, false), (&shown.authority, true)] {
                if let Some(entry) = self.revoked(&name, key) {
                    return CertificateStatus::Revoked { at: entry.at.clone(), is_authority };
                }
            }
        }
        let authorities = self.authorities_for(name);
        let Some(authority) = authorities.iter().find(|entry| entry.key == shown.authority) else {
            return CertificateStatus::UnknownAuthority;
        };
        let at = authority.at.clone();
        match shown.problem_for(name.host(), now, accepted) {
            None => CertificateStatus::Trusted { at },
            Some(problem) => CertificateStatus::Invalid { at, problem },
        }
    }
}

/// The names that a host goes by.
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

    /// Reads lines in which `ed1` stands for the key of that number.
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

    /// A certificate of key 1 for `web`, signed by key 9.
    fn shown() -> HostCertificate {
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

    /// Judges it at second 50, and tells the status in a word with its line.
    #[track_caller]
    fn case(lines: &[&str], name: &HostName, expected: &str) {
        let status = known(lines).check_certificate(name, &shown(), 50, &["ssh-ed25519".to_owned()]);
        let told = match &status {
            CertificateStatus::Trusted { at } => format!("vouched by {}", at.line),
            CertificateStatus::Invalid { at, .. } => format!("flawed, by {}", at.line),
            CertificateStatus::UnknownAuthority => "unvouched".to_owned(),
            CertificateStatus::Revoked { at, is_authority: true } => format!("authority revoked by {}", at.line),
            CertificateStatus::Revoked { at, is_authority: false } => format!("key revoked by {}", at.line),
        };
        assert_eq!(told, expected, "{name}: {lines:?}");
    }

    #[test]
    fn the_authority_has_to_be_on_record_for_the_host() {
        let web = HostName::new("web", 22);
        case(&["@cert-authority db,w* ed9"], &web, "vouched by 1");
        case(&["@cert-authority web ed8", "@cert-authority web ed9"], &web, "vouched by 2");
        case(&["@cert-authority web ed8"], &web, "unvouched");
        case(&["@cert-authority *,!web ed9"], &web, "unvouched");
        case(&["@cert-authority db ed9"], &web, "unvouched");
        case(&["web ed9", "web ed1"], &web, "unvouched");
    }

    #[test]
    fn what_was_withdrawn_counts_first() {
        let web = HostName::new("web", 22);
        case(&["@cert-authority web ed9", "@revoked * ed9"], &web, "authority revoked by 2");
        case(&["@cert-authority web ed9", "@revoked * ed1"], &web, "key revoked by 2");
        case(&["@cert-authority web ed9", "@revoked db ed9", "@revoked * ed8"], &web, "vouched by 1");
        case(&["@revoked web ed9"], &web, "authority revoked by 1");
        case(
            &["@cert-authority [web]:2222 ed9", "@revoked web ed9"],
            &HostName::new("web", 2222),
            "authority revoked by 2",
        );
    }

    #[test]
    fn names_have_no_port_in_a_certificate_and_one_on_record() {
        let port = HostName::new("web", 2222);
        case(&["@cert-authority [web]:2222 ed9"], &port, "vouched by 1");
        case(&["@cert-authority [web]:2222 ed8", "@cert-authority web ed9"], &port, "vouched by 2");
        case(&["@cert-authority [web]:2223 ed9"], &port, "unvouched");
        case(&["@cert-authority [web]:2222 ed9"], &HostName::new("web", 22), "unvouched");
        case(&["@cert-authority * ed9"], &HostName::new("db", 22), "flawed, by 1");
        case(&["@cert-authority web ed9"], &HostName::alias("Web"), "vouched by 1");
    }

    #[test]
    fn a_host_is_asked_for_a_certificate_where_something_is_on_record_about_one() {
        let asked = |lines: &[&str], port| known(lines).has_marked_entries(&HostName::new("web", port));
        assert!(asked(&["@cert-authority w* ed9"], 22) && asked(&["@cert-authority web ed9"], 2222));
        assert!(asked(&["@revoked * ed9"], 22));
        assert!(!asked(&["@cert-authority db ed9", "web ed1"], 22));
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
