//! The certificate that a server shows: read, judged by what is on record, and its signature checked.

use std::time::{SystemTime, UNIX_EPOCH};

use fabrs_openssh::certificate::{Flaw, HostCertificate, Validity};
use fabrs_openssh::known_hosts::{HostKey, Judgement, KnownHosts};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg};

use super::target::Trust;

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

/// Judges a certificate.
pub(super) fn judge(shown: &Certificate, known: &KnownHosts, trust: &Trust) -> Credit {
    let unreadable = |problem: String| Credit::Refused { what: "the host's certificate can't be read", cause: problem };
    let certificate = match read(shown) {
        Ok(certificate) => certificate,
        Err(problem) => return unreadable(problem),
    };
    let now = now();
    match known.judge(&trust.name, &certificate, now, &trust.ca_signatures) {
        Judgement::Vouched { at } => {
            let authority = shown.signature_key().fingerprint(HashAlg::Sha256);
            match shown.validate_at(now, [&authority]) {
                Ok(()) => Credit::Vouched,
                Err(_) => Credit::Refused {
                    what: "the host's certificate is forged",
                    cause: format!("the authority in {at} has not signed it"),
                },
            }
        }
        Judgement::Flawed { at, flaw } => Credit::Aside(Aside {
            text: format!("is signed by the authority in {at}, but {flaw}"),
            hint: Some(hint(&flaw)),
        }),
        Judgement::Unvouched => Credit::Aside(Aside {
            text: format!(
                "is signed by {}, which is no authority on record for it",
                certificate.authority.fingerprint()
            ),
            hint: None,
        }),
        Judgement::Revoked { at, authority: true } => Credit::Refused {
            what: "the authority that signed the host's certificate is revoked",
            cause: format!("revoked in {at}; the certificate is signed by {}", certificate.authority.fingerprint()),
        },
        Judgement::Revoked { at, authority: false } => Credit::Refused {
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

fn read(shown: &Certificate) -> Result<HostCertificate, String> {
    Ok(HostCertificate {
        key: key(shown.public_key())?,
        authority: key(shown.signature_key())?,
        is_for_host: shown.cert_type() == CertType::Host,
        names: shown.valid_principals().to_vec(),
        validity: validity(shown),
        critical_options: shown.critical_options().keys().cloned().collect(),
        signature_algorithm: shown.signature().algorithm().as_str().to_owned(),
    })
}

fn key(key: &KeyData) -> Result<HostKey, String> {
    let blob = russh::keys::PublicKey::from(key.clone()).to_bytes().map_err(|error| error.to_string())?;
    HostKey::from_blob(blob).map_err(|error| error.to_string())
}

fn hint(flaw: &Flaw) -> &'static str {
    match flaw {
        Flaw::Expired { .. } => "it has to be renewed: by `ssh-keygen -s` with the authority's key",
        Flaw::NotYetValid { .. } => "is the clock of this machine right?",
        Flaw::OtherNames { .. } => "name the host as the certificate does: by `HostName` or `HostKeyAlias`",
        Flaw::SignatureAlgorithm { .. } => {
            "it has to be signed anew, or the algorithm be allowed by `CASignatureAlgorithms`"
        }
        _ => "it has to be made anew: by `ssh-keygen -h -s` with the authority's key",
    }
}
