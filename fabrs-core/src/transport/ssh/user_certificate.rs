//! Certificates to log in with: read from files, and what may be wrong with one.
//!
//! They are read whenever one is needed: what issues them for an hour or a day may renew them during a run.

use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use fabrs_openssh::certificate::CertificateProblem;
use russh::keys::Certificate;
use russh::keys::ssh_key::certificate::CertType;

use crate::transport::ssh::host_certificate::{now, validity};

/// Why a file gives no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("no such file")]
    Missing,
    #[error("it can't be read: {0}")]
    Read(std::io::Error),
    #[error("it is no certificate: {0}")]
    Parse(russh::keys::ssh_key::Error),
    #[error("it is a host's, and no user's")]
    OfHost,
}

/// Returns where `ssh` looks for the certificate of a key.
pub(super) fn beside(identity: &Path) -> PathBuf {
    let mut path = identity.as_os_str().to_owned();
    path.push("-cert.pub");
    path.into()
}

/// Reads a certificate of a user.
pub(super) fn read(path: &Path) -> Result<Certificate, Unusable> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        Io::NotFound => Unusable::Missing,
        _ => Unusable::Read(error),
    })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Certificate, Unusable> {
    let certificate = Certificate::from_openssh(text).map_err(Unusable::Parse)?;
    match certificate.cert_type() {
        CertType::User => Ok(certificate),
        CertType::Host => Err(Unusable::OfHost),
    }
}

/// Says why a server might not take a certificate. It decides by rules of its own, so this only explains a refusal.
pub(super) fn doubt(certificate: &Certificate, user: &str) -> Option<CertificateProblem> {
    let names = certificate.valid_principals();
    let others = || CertificateProblem::OtherPrincipals { principals: names.to_vec() };
    validity(certificate)
        .problem_at(now())
        .or_else(|| (!names.is_empty() && !names.iter().any(|name| name == user)).then(others))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::{Unusable, beside, doubt, parse};

    fn certificate(kind: CertType, until: u64, names: &[&str]) -> String {
        let key = |seed| PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let mut builder = Builder::new([3; 16], key(1).public_key().key_data().clone(), 0, until).expect("valid times");
        builder.cert_type(kind).expect("set once");
        for name in names {
            builder.valid_principal(*name).expect("a name");
        }
        if names.is_empty() {
            builder.all_principals_valid().expect("no name is set");
        }
        builder.sign(&key(2)).expect("the authority signs").to_openssh().expect("it can be written")
    }

    #[test]
    fn only_certificates_of_users_are_read() {
        let users = certificate(CertType::User, u64::MAX, &["alice"]);
        assert!(parse(&users).is_ok() && parse(&format!("{users} a comment\n")).is_ok());
        assert!(matches!(parse(&certificate(CertType::Host, u64::MAX, &["web"])), Err(Unusable::OfHost)));
        for text in ["", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=", &users[..users.len() / 2]] {
            assert!(matches!(parse(text), Err(Unusable::Parse(_))), "{text}");
        }
    }

    #[test]
    fn what_a_server_may_dislike_is_known() {
        #[track_caller]
        fn case(until: u64, names: &[&str], expected: Option<&str>) {
            let certificate = parse(&certificate(CertType::User, until, names)).expect("it was written well");
            assert_eq!(doubt(&certificate, "deploy").map(|flaw| flaw.to_string()).as_deref(), expected);
        }
        case(u64::MAX, &["alice", "deploy"], None);
        case(u64::MAX, &[], None);
        case(u64::MAX, &["alice"], Some("it is for `alice`"));
        case(100, &["deploy"], Some("it expired at 1970-01-01T00:01:40Z"));
    }

    #[test]
    fn a_certificate_stands_beside_its_key() {
        assert_eq!(beside("/k/id_ed25519".as_ref()), std::path::Path::new("/k/id_ed25519-cert.pub"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), at in 0usize..700, byte: u8) {
            let _ = parse(&text);
            let mut bytes = certificate(CertType::User, 100, &["alice"]).into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            if let Ok(certificate) = parse(&String::from_utf8_lossy(&bytes)) {
                let _ = doubt(&certificate, "alice");
            }
        }
    }
}
