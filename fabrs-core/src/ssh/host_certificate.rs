//! Host certificates: conversion, check against `known_hosts` and check of the signature.

use std::time::{SystemTime, UNIX_EPOCH};

use fabrs_openssh::certificate::{CertificateProblem, HostCertificate, Validity};
use fabrs_openssh::known_hosts::{CertificateStatus, HostKey, KnownHosts};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg};

use crate::ssh::target::HostKeyPolicy;

/// The verdict on a host certificate.
#[derive(Debug)]
pub(super) enum CertificateVerdict {
    /// A known authority has signed the certificate.
    Trusted,
    /// The certificate is ignored. The plain key must be checked instead.
    Ignored(IgnoredCertificate),
    /// The connection must be rejected.
    Rejected { text: &'static str, cause: String },
}

/// An ignored certificate.
#[derive(Debug)]
pub(super) struct IgnoredCertificate {
    /// The reason, as the predicate of a sentence about the certificate.
    pub(super) text: String,
    pub(super) hint: Option<&'static str>,
}

/// Checks a certificate against `known_hosts`. `certificate` is the result of [`read`].
pub(super) fn judge(
    presented: &Certificate,
    certificate: &HostCertificate,
    known: &KnownHosts,
    policy: &HostKeyPolicy,
) -> CertificateVerdict {
    let now = now();
    match known.check_certificate(&policy.name, certificate, now, &policy.ca_signatures) {
        CertificateStatus::Trusted { at } => {
            let authority = presented.signature_key().fingerprint(HashAlg::Sha256);
            match presented.validate_at(now, [&authority]) {
                Ok(()) => CertificateVerdict::Trusted,
                Err(_) => CertificateVerdict::Rejected {
                    text: "the host's certificate is forged",
                    cause: format!("the authority in {at} has not signed it"),
                },
            }
        }
        CertificateStatus::Invalid { at, problem } => CertificateVerdict::Ignored(IgnoredCertificate {
            text: format!("is signed by the authority in {at}, but {problem}"),
            hint: Some(hint(&problem)),
        }),
        CertificateStatus::UnknownAuthority => CertificateVerdict::Ignored(IgnoredCertificate {
            text: format!("is signed by {}, an authority unknown for this host", certificate.authority.fingerprint()),
            hint: None,
        }),
        CertificateStatus::Revoked { at, is_authority: true } => CertificateVerdict::Rejected {
            text: "the authority that signed the host's certificate is revoked",
            cause: format!("revoked in {at}; the certificate is signed by {}", certificate.authority.fingerprint()),
        },
        CertificateStatus::Revoked { at, is_authority: false } => CertificateVerdict::Rejected {
            text: "the key in the host's certificate is revoked",
            cause: format!("revoked in {at}; the host shows {}", certificate.key.fingerprint()),
        },
    }
}

/// Returns the current time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns the validity period of a certificate.
pub(super) fn validity(certificate: &Certificate) -> Validity {
    Validity { from: certificate.valid_after(), until: certificate.valid_before() }
}

/// Returns the content of a certificate.
pub(super) fn read(presented: &Certificate) -> Result<HostCertificate, String> {
    Ok(HostCertificate {
        key: key(presented.public_key())?,
        authority: key(presented.signature_key())?,
        serial: presented.serial(),
        key_id: presented.key_id().to_owned(),
        is_for_host: presented.cert_type() == CertType::Host,
        principals: presented.valid_principals().to_vec(),
        validity: validity(presented),
        critical_options: presented.critical_options().keys().cloned().collect(),
        signature_algorithm: presented.signature().algorithm().as_str().to_owned(),
    })
}

fn key(key: &KeyData) -> Result<HostKey, String> {
    let blob = russh::keys::PublicKey::from(key.clone()).to_bytes().map_err(|error| error.to_string())?;
    HostKey::from_blob(blob).map_err(|error| error.to_string())
}

fn hint(flaw: &CertificateProblem) -> &'static str {
    match flaw {
        CertificateProblem::Expired { .. } => "renew the certificate with `ssh-keygen -s` and the authority's key",
        CertificateProblem::NotYetValid { .. } => "check the clock of this machine",
        CertificateProblem::OtherPrincipals { .. } => {
            "use a name of the certificate, with `HostName` or `HostKeyAlias`"
        }
        CertificateProblem::SignatureAlgorithm { .. } => {
            "sign the certificate with another algorithm, or add its algorithm to `CASignatureAlgorithms`"
        }
        _ => "create the certificate again with `ssh-keygen -h -s` and the authority's key",
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

    use super::{CertType, Certificate, CertificateVerdict, HostKeyPolicy, KnownHosts, read};

    fn judge(presented: &Certificate, known: &KnownHosts, policy: &HostKeyPolicy) -> CertificateVerdict {
        match read(presented) {
            Ok(certificate) => super::judge(presented, &certificate, known, policy),
            Err(cause) => CertificateVerdict::Rejected { text: "it can't be read", cause },
        }
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
    }

    /// The certificate of key 1 for `web`, signed by key 2.
    fn certificate() -> Certificate {
        let subject = key(1).public_key().key_data().clone();
        let mut builder = Builder::new([3; 16], subject, 0, u64::MAX).expect("the times are valid");
        builder.cert_type(CertType::Host).expect("the type is set once").valid_principal("web").expect("a name");
        builder.sign(&key(2)).expect("the authority signs")
    }

    fn known() -> KnownHosts {
        let authority = key(2).public_key().to_openssh().expect("it can be written");
        KnownHosts::parse(&format!("@cert-authority web {authority}"), "known_hosts")
    }

    fn policy() -> HostKeyPolicy {
        HostKeyPolicy {
            name: HostName::new("web", 22),
            strict: StrictHostKeyChecking::Yes,
            files: Vec::new(),
            record_file: None,
            revoked: None,
            hash_names: false,
            ca_signatures: HostConfig::default_ca_signature_algorithms(),
            can_prompt: false,
        }
    }

    #[test]
    fn a_certificate_of_a_known_authority_is_trusted() {
        let verdict = judge(&certificate(), &known(), &policy());
        assert!(matches!(verdict, CertificateVerdict::Trusted), "{verdict:?}");
    }

    #[test]
    fn a_forged_certificate_is_rejected() {
        let good = certificate().to_bytes().expect("it can be written");
        let name = good
            .windows(7)
            .position(|bytes| bytes == b"\0\0\0\x03web")
            .expect("the certificate contains the principal")
            + 4;
        let last = good.len() - 1;
        // Byte 40 belongs to the nonce, the last byte to the signature.
        for place in [40, last] {
            let mut bytes = good.clone();
            bytes[place] ^= 1;
            let forged = Certificate::from_bytes(&bytes).expect("the changed bytes still parse");
            match judge(&forged, &known(), &policy()) {
                CertificateVerdict::Rejected { text, cause } => {
                    assert_eq!(text, "the host's certificate is forged");
                    assert_eq!(cause, "the authority in known_hosts:1 has not signed it");
                }
                verdict => panic!("byte {place} was changed: {verdict:?}"),
            }
        }
        let mut bytes = good;
        bytes[name] = b'v';
        let other = Certificate::from_bytes(&bytes).expect("the changed bytes still parse");
        assert!(matches!(judge(&other, &known(), &policy()), CertificateVerdict::Ignored(_)), "it is for `veb`");
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_or_rejected(bytes: Vec<u8>, at in 0usize..400, byte: u8) {
            let mut changed = certificate().to_bytes().expect("it can be written");
            let same = changed.get(at).is_none_or(|known| *known == byte);
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            for bytes in [bytes, changed] {
                if let Ok(certificate) = Certificate::from_bytes(&bytes) {
                    let verdict = judge(&certificate, &known(), &policy());
                    prop_assert!(same || !matches!(verdict, CertificateVerdict::Trusted), "a changed byte went unnoticed");
                }
            }
        }
    }
}
