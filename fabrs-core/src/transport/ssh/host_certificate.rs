//! The certificate that a server shows: read, judged by what is on record, and its signature checked.

use std::time::{SystemTime, UNIX_EPOCH};

use fabrs_openssh::certificate::{CertificateProblem, HostCertificate, Validity};
use fabrs_openssh::known_hosts::{CertificateStatus, HostKey, KnownHosts};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg};

use crate::transport::ssh::target::Trust;

/// What becomes of a certificate.
#[derive(Debug)]
pub(super) enum Credit {
    /// The host is who it says it is.
    Vouched,
    /// It does not count, and why: the host's key has to be looked up itself.
    Aside(Aside),
    /// Nothing that the host shows may be accepted.
    Refused { what: &'static str, cause: String },
}

/// A certificate that does not count.
#[derive(Debug)]
pub(super) struct Aside {
    /// What is wrong with it, as the end of a sentence.
    pub(super) text: String,
    pub(super) hint: Option<&'static str>,
}

/// Checks a certificate against `known_hosts`. `certificate` is the result of [`read`].
pub(super) fn judge(shown: &Certificate, certificate: &HostCertificate, known: &KnownHosts, trust: &Trust) -> Credit {
    let now = now();
    match known.check_certificate(&trust.name, certificate, now, &trust.ca_signatures) {
        CertificateStatus::Trusted { at } => {
            let authority = shown.signature_key().fingerprint(HashAlg::Sha256);
            match shown.validate_at(now, [&authority]) {
                Ok(()) => Credit::Vouched,
                Err(_) => Credit::Refused {
                    what: "the host's certificate is forged",
                    cause: format!("the authority in {at} has not signed it"),
                },
            }
        }
        CertificateStatus::Invalid { at, problem } => Credit::Aside(Aside {
            text: format!("is signed by the authority in {at}, but {problem}"),
            hint: Some(hint(&problem)),
        }),
        CertificateStatus::UnknownAuthority => Credit::Aside(Aside {
            text: format!(
                "is signed by {}, which is no authority on record for it",
                certificate.authority.fingerprint()
            ),
            hint: None,
        }),
        CertificateStatus::Revoked { at, is_authority: true } => Credit::Refused {
            what: "the authority that signed the host's certificate is revoked",
            cause: format!("revoked in {at}; the certificate is signed by {}", certificate.authority.fingerprint()),
        },
        CertificateStatus::Revoked { at, is_authority: false } => Credit::Refused {
            what: "the key in the host's certificate is revoked",
            cause: format!("revoked in {at}; the host shows {}", certificate.key.fingerprint()),
        },
    }
}

/// Returns the present time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns when a certificate is valid.
pub(super) fn validity(certificate: &Certificate) -> Validity {
    Validity { from: certificate.valid_after(), until: certificate.valid_before() }
}

/// Returns the content of a certificate.
pub(super) fn read(shown: &Certificate) -> Result<HostCertificate, String> {
    Ok(HostCertificate {
        key: key(shown.public_key())?,
        authority: key(shown.signature_key())?,
        serial: shown.serial(),
        key_id: shown.key_id().to_owned(),
        is_for_host: shown.cert_type() == CertType::Host,
        principals: shown.valid_principals().to_vec(),
        validity: validity(shown),
        critical_options: shown.critical_options().keys().cloned().collect(),
        signature_algorithm: shown.signature().algorithm().as_str().to_owned(),
    })
}

fn key(key: &KeyData) -> Result<HostKey, String> {
    let blob = russh::keys::PublicKey::from(key.clone()).to_bytes().map_err(|error| error.to_string())?;
    HostKey::from_blob(blob).map_err(|error| error.to_string())
}

fn hint(flaw: &CertificateProblem) -> &'static str {
    match flaw {
        CertificateProblem::Expired { .. } => "it has to be renewed: by `ssh-keygen -s` with the authority's key",
        CertificateProblem::NotYetValid { .. } => "is the clock of this machine right?",
        CertificateProblem::OtherPrincipals { .. } => {
            "name the host as the certificate does: by `HostName` or `HostKeyAlias`"
        }
        CertificateProblem::SignatureAlgorithm { .. } => {
            "it has to be signed anew, or the algorithm be allowed by `CASignatureAlgorithms`"
        }
        _ => "it has to be made anew: by `ssh-keygen -h -s` with the authority's key",
    }
}

#[cfg(test)]
mod tests {
    use fabrs_openssh::config::{HostConfig, StrictHostKeyChecking};
    use fabrs_openssh::known_hosts::HostName;
    use proptest::prelude::*;
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::Builder;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::{CertType, Certificate, Credit, KnownHosts, Trust, read};

    fn judge(shown: &Certificate, known: &KnownHosts, trust: &Trust) -> Credit {
        match read(shown) {
            Ok(certificate) => super::judge(shown, &certificate, known, trust),
            Err(cause) => Credit::Refused { what: "it can't be read", cause },
        }
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
    }

    /// The certificate of key 1 for `web`, signed by key 2.
    fn certificate() -> Certificate {
        let subject = key(1).public_key().key_data().clone();
        let mut builder = Builder::new([3; 16], subject, 0, u64::MAX).expect("these are times");
        builder.cert_type(CertType::Host).expect("it is set once").valid_principal("web").expect("a name");
        builder.sign(&key(2)).expect("the authority signs")
    }

    fn known() -> KnownHosts {
        let authority = key(2).public_key().to_openssh().expect("it can be written");
        KnownHosts::parse(&format!("@cert-authority web {authority}"), "known_hosts")
    }

    fn trust() -> Trust {
        Trust {
            name: HostName::new("web", 22),
            strict: StrictHostKeyChecking::Yes,
            files: Vec::new(),
            record: None,
            revoked: None,
            hash: false,
            ca_signatures: HostConfig::default_ca_signature_algorithms(),
            may_ask: false,
        }
    }

    #[test]
    fn what_an_authority_has_signed_counts() {
        let credit = judge(&certificate(), &known(), &trust());
        assert!(matches!(credit, Credit::Vouched), "{credit:?}");
    }

    #[test]
    fn a_certificate_that_only_claims_to_be_signed_is_refused() {
        let good = certificate().to_bytes().expect("it can be written");
        let name = good.windows(7).position(|bytes| bytes == b"\0\0\0\x03web").expect("its name is in it") + 4;
        let last = good.len() - 1;
        // Another nonce, and another signature.
        for place in [40, last] {
            let mut bytes = good.clone();
            bytes[place] ^= 1;
            let forged = Certificate::from_bytes(&bytes).expect("it still looks like one");
            match judge(&forged, &known(), &trust()) {
                Credit::Refused { what, cause } => {
                    assert_eq!(what, "the host's certificate is forged");
                    assert_eq!(cause, "the authority in known_hosts:1 has not signed it");
                }
                credit => panic!("byte {place} was changed: {credit:?}"),
            }
        }
        let mut bytes = good;
        bytes[name] = b'v';
        let other = Certificate::from_bytes(&bytes).expect("it still looks like one");
        assert!(matches!(judge(&other, &known(), &trust()), Credit::Aside(_)), "it is for `veb`");
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_or_refused(bytes: Vec<u8>, at in 0usize..400, byte: u8) {
            let mut changed = certificate().to_bytes().expect("it can be written");
            let same = changed.get(at).is_none_or(|known| *known == byte);
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            for bytes in [bytes, changed] {
                if let Ok(certificate) = Certificate::from_bytes(&bytes) {
                    let credit = judge(&certificate, &known(), &trust());
                    prop_assert!(same || !matches!(credit, Credit::Vouched), "a changed byte went unnoticed");
                }
            }
        }
    }
}
