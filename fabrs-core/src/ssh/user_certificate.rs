//! User certificates for the login.
//!
//! Certificates are not cached: a short-lived certificate may be renewed during a run.

use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use fabrs_openssh::certificate::CertificateProblem;
use russh::keys::Certificate;
use russh::keys::ssh_key::certificate::CertType;

use crate::ssh::host_certificate::{now, validity};

/// The error of a certificate file.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error("no such file")]
    Missing,
    #[error("it can't be read: {0}")]
    Read(std::io::Error),
    #[error("not a certificate: {0}")]
    Parse(russh::keys::ssh_key::Error),
    #[error("a host certificate, not a user certificate")]
    OfHost,
}

/// Returns the path of a key's certificate, as expected by `ssh`.
pub(super) fn certificate_path(identity: &Path) -> PathBuf {
    let mut path = identity.as_os_str().to_owned();
    path.push("-cert.pub");
    path.into()
}

/// Reads a user certificate.
pub(super) fn read(path: &Path) -> Result<Certificate, CertificateError> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        Io::NotFound => CertificateError::Missing,
        _ => CertificateError::Read(error),
    })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Certificate, CertificateError> {
    let certificate = Certificate::from_openssh(text).map_err(CertificateError::Parse)?;
    match certificate.cert_type() {
        CertType::User => Ok(certificate),
        CertType::Host => Err(CertificateError::OfHost),
    }
}

/// Returns a likely reason for the rejection of a certificate. The server decides by its own rules,
/// so the reason is only a guess.
pub(super) fn likely_flaw(certificate: &Certificate, user: &str) -> Option<CertificateProblem> {
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

    use super::{CertificateError, certificate_path, likely_flaw, parse};

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
    fn host_certificates_are_rejected_for_logins() {
        let users = certificate(CertType::User, u64::MAX, &["alice"]);
        assert!(parse(&users).is_ok() && parse(&format!("{users} a comment\n")).is_ok());
        assert!(matches!(parse(&certificate(CertType::Host, u64::MAX, &["web"])), Err(CertificateError::OfHost)));
        for text in ["", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=", &users[..users.len() / 2]] {
            assert!(matches!(parse(text), Err(CertificateError::Parse(_))), "{text}");
        }
    }

    #[test]
    fn the_likely_flaw_of_a_certificate_is_found() {
        #[track_caller]
        fn case(until: u64, names: &[&str], expected: Option<&str>) {
            let certificate = parse(&certificate(CertType::User, until, names)).expect("it was written well");
            assert_eq!(likely_flaw(&certificate, "deploy").map(|flaw| flaw.to_string()).as_deref(), expected);
        }
        case(u64::MAX, &["alice", "deploy"], None);
        case(u64::MAX, &[], None);
        case(u64::MAX, &["alice"], Some("it is for `alice`"));
        case(100, &["deploy"], Some("it expired at 1970-01-01T00:01:40Z"));
    }

    #[test]
    fn the_certificate_path_is_next_to_the_key() {
        assert_eq!(certificate_path("/k/id_ed25519".as_ref()), std::path::Path::new("/k/id_ed25519-cert.pub"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected(text in any::<String>(), at in 0usize..700, byte: u8) {
            let _ = parse(&text);
            let mut bytes = certificate(CertType::User, 100, &["alice"]).into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            if let Ok(certificate) = parse(&String::from_utf8_lossy(&bytes)) {
                let _ = likely_flaw(&certificate, "alice");
            }
        }
    }
}
