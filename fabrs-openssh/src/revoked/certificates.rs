//! The certificate section of a KRL, for one authority or for all authorities.

use std::collections::HashSet;

use crate::certificate::HostCertificate;
use crate::error::Error;
use crate::host_key::HostKey;

use super::extension::read_extension;
use super::plain_key::{is_certificate_type, plain_key};
use super::revocation::Revocation;
use super::serials::RevokedSerials;
use super::wire_reader::WireReader;

// Subsection types.
const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const SERIAL_BITMAP: u8 = 0x22;
const KEY_IDS: u8 = 0x23;
const EXTENSION: u8 = 0x39;

/// The revoked certificates in one section.
#[derive(Clone, Debug)]
pub(super) struct RevokedCertificates {
    /// The key of the authority, or `None` for all authorities.
    authority: Option<HostKey>,
    serials: RevokedSerials,
    key_ids: HashSet<Vec<u8>>,
}

impl RevokedCertificates {
    /// Parses the section. The error is the reason, as a clause.
    pub(super) fn read(section: &mut WireReader<'_>) -> Result<Self, String> {
        let authority = read_authority(section.string()?)?;
        let _reserved = section.string()?;
        let mut serials = RevokedSerials::default();
        let mut key_ids = HashSet::new();
        while !section.is_empty() {
            let kind = section.byte()?;
            let mut part = WireReader::new(section.string()?);
            match kind {
                SERIAL_LIST => serials.read_list(&mut part)?,
                SERIAL_RANGE => serials.read_range(&mut part)?,
                SERIAL_BITMAP => serials.read_bitmap(&mut part)?,
                KEY_IDS => {
                    while !part.is_empty() {
                        key_ids.insert(part.text()?.to_vec());
                    }
                }
                EXTENSION => read_extension(&mut part)?,
                _ => return Err(format!("unsupported certificate section type {kind:#x}")),
            }
            part.finish()?;
        }
        Ok(Self { authority, serials, key_ids })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.serials.is_empty() && self.key_ids.is_empty()
    }

    /// Looks up a certificate. `authority` is the plain key of its authority.
    pub(super) fn lookup(&self, certificate: &HostCertificate, authority: &HostKey) -> Option<Revocation> {
        if self.authority.as_ref().is_some_and(|revoked| revoked != authority) {
            return None;
        }
        let key_id = certificate.key_id.as_bytes();
        // Like `ssh`, ignore a NUL byte at the end of the key ID.
        if self.key_ids.contains(key_id.strip_suffix(b"\0").unwrap_or(key_id)) {
            return Some(Revocation::KeyId(certificate.key_id.clone()));
        }
        self.serials.contains(certificate.serial).then_some(Revocation::Serial(certificate.serial))
    }
}

fn read_authority(blob: &[u8]) -> Result<Option<HostKey>, String> {
    if blob.is_empty() {
        return Ok(None);
    }
    let bad = |error: Error| format!("invalid authority key: {error}");
    let key = HostKey::from_blob(blob).map_err(bad)?;
    let plain = plain_key(&key).map_err(bad)?;
    // `ssh` accepts such a section, but the section matches no certificate. The listed certificates
    // would not be revoked.
    if is_certificate_type(key.algorithm()) {
        return Err("an authority key is a certificate".to_owned());
    }
    Ok(Some(plain))
}
