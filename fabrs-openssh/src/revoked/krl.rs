//! The binary key revocation list (KRL) of `ssh-keygen -k`, as in OpenSSH's `PROTOCOL.krl`.

use std::collections::HashSet;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::certificate::HostCertificate;
use crate::host_key::HostKey;

use super::certificates::RevokedCertificates;
use super::extension::read_extension;
use super::revocation::Revocation;
use super::wire_reader::WireReader;

/// The first bytes of a KRL.
pub(super) const MAGIC: &[u8] = b"SSHKRL\n\0";

const FORMAT_VERSION: u32 = 1;

// Section types.
const CERTIFICATES: u8 = 1;
const EXPLICIT_KEYS: u8 = 2;
const SHA1_FINGERPRINTS: u8 = 3;
const SIGNATURE: u8 = 4;
const SHA256_FINGERPRINTS: u8 = 5;
const EXTENSION: u8 = 255;

/// A key revocation list.
#[derive(Clone, Debug, Default)]
pub(super) struct Krl {
    /// Plain keys in wire format.
    keys: HashSet<Vec<u8>>,
    sha1_fingerprints: HashSet<[u8; 20]>,
    sha256_fingerprints: HashSet<[u8; 32]>,
    certificates: Vec<RevokedCertificates>,
}

impl Krl {
    /// Parses a KRL. The error is the reason, as a clause.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut file = WireReader::new(bytes.strip_prefix(MAGIC).ok_or("unknown format")?);
        let version = file.u32()?;
        if version != FORMAT_VERSION {
            return Err(format!("unsupported format version {version}"));
        }
        let _version_date_flags = (file.u64()?, file.u64()?, file.u64()?);
        let _reserved = file.string()?;
        let _comment = file.text()?;
        let mut krl = Self::default();
        while !file.is_empty() {
            let kind = file.byte()?;
            let mut section = WireReader::new(file.string()?);
            if kind == SIGNATURE {
                // The signature follows the section with its key. `ssh` has ignored both since 9.4.
                file.string()?;
            } else {
                krl.read_section(kind, &mut section)?;
                section.finish()?;
            }
        }
        Ok(krl)
    }

    fn read_section(&mut self, kind: u8, section: &mut WireReader<'_>) -> Result<(), String> {
        match kind {
            CERTIFICATES => {
                let certificates = RevokedCertificates::read(section)?;
                if !certificates.is_empty() {
                    self.certificates.push(certificates);
                }
            }
            EXPLICIT_KEYS => {
                while !section.is_empty() {
                    self.keys.insert(section.string()?.to_vec());
                }
            }
            SHA1_FINGERPRINTS => read_fingerprints(section, &mut self.sha1_fingerprints)?,
            SHA256_FINGERPRINTS => read_fingerprints(section, &mut self.sha256_fingerprints)?,
            EXTENSION => read_extension(section)?,
            _ => return Err(format!("unsupported section type {kind}")),
        }
        Ok(())
    }

    /// Returns true if the list contains a plain key or its fingerprint.
    pub(super) fn contains(&self, key: &HostKey) -> bool {
        let blob = key.blob();
        self.keys.contains(blob)
            || self.sha1_fingerprints.contains(&<[u8; 20]>::from(Sha1::digest(blob)))
            || self.sha256_fingerprints.contains(&<[u8; 32]>::from(Sha256::digest(blob)))
    }

    /// Looks up the serial number and the key ID of a certificate, for its authority and for all
    /// authorities.
    pub(super) fn lookup(&self, certificate: &HostCertificate, authority: &HostKey) -> Option<Revocation> {
        self.certificates.iter().find_map(|revoked| revoked.lookup(certificate, authority))
    }
}

fn read_fingerprints<const N: usize>(
    section: &mut WireReader<'_>,
    fingerprints: &mut HashSet<[u8; N]>,
) -> Result<(), &'static str> {
    while !section.is_empty() {
        let fingerprint = section.string()?.try_into().map_err(|_| "a fingerprint has the wrong length")?;
        fingerprints.insert(fingerprint);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{HostCertificate, HostKey, Krl, Revocation};
    use crate::certificate::Validity;

    const HEADER: &[u8] = b"SSHKRL\n\0\0\0\0\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0";

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).expect("a short string").to_be_bytes(), bytes].concat()
    }

    fn section(kind: u8, contents: &[u8]) -> Vec<u8> {
        [&[kind], &string(contents)[..]].concat()
    }

    fn key(id: u8) -> HostKey {
        HostKey::from_blob([string(b"ssh-ed25519"), string(&[id; 32])].concat()).expect("the key is well formed")
    }

    /// Returns the section with the certificates of an authority.
    fn certificates(authority: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
        section(1, &[string(authority), string(b"reserved"), parts.concat()].concat())
    }

    fn parse(sections: &[Vec<u8>]) -> Result<Krl, String> {
        Krl::parse(&[HEADER, &string(b"reserved"), &string(b"a comment"), &sections.concat()].concat())
    }

    #[track_caller]
    fn assert_error(sections: &[Vec<u8>], expected: &str) {
        assert_eq!(parse(sections).map(|_| ()), Err(expected.to_owned()));
    }

    /// Looks up a certificate signed by key 9.
    fn lookup(krl: &Krl, serial: u64, key_id: &str) -> Option<Revocation> {
        let certificate = HostCertificate {
            key: key(1),
            authority: key(9),
            serial,
            key_id: key_id.to_owned(),
            is_for_host: true,
            principals: Vec::new(),
            validity: Validity { from: 0, until: 1 },
            critical_options: Vec::new(),
            signature_algorithm: "ssh-ed25519".to_owned(),
        };
        krl.lookup(&certificate, &key(9))
    }

    #[test]
    fn several_sections_of_an_authority_are_one_list() {
        let serial = |serial: u64| section(0x20, &serial.to_be_bytes());
        let ids = section(0x23, &[string(b"web1"), string(b"web2\0")].concat());
        let krl = parse(&[
            certificates(key(9).blob(), &[serial(1), serial(3)]),
            certificates(key(8).blob(), &[serial(5)]),
            certificates(key(9).blob(), &[serial(7), ids]),
        ])
        .expect("the list is well formed");
        let found: Vec<u64> = (0..10).filter(|serial| lookup(&krl, *serial, "db1").is_some()).collect();
        assert_eq!(found, [1, 3, 7]);
        assert_eq!(lookup(&krl, 0, "web2"), Some(Revocation::KeyId("web2".to_owned())));
        assert_eq!(lookup(&krl, 0, "web1\0"), Some(Revocation::KeyId("web1\0".to_owned())));
        assert_eq!(lookup(&krl, 0, "web"), None);
    }

    #[test]
    fn a_section_without_an_authority_is_for_all() {
        let krl = parse(&[certificates(b"", &[section(0x20, &7u64.to_be_bytes())])]).expect("the list is valid");
        assert_eq!(lookup(&krl, 7, ""), Some(Revocation::Serial(7)));
    }

    #[test]
    fn signatures_are_skipped() {
        let signature = [section(4, b"a key"), string(b"a signature")].concat();
        let krl = parse(&[signature, section(2, &string(key(1).blob()))]).expect("the list is well formed");
        assert!(krl.contains(&key(1)) && !krl.contains(&key(2)));
        assert_error(&[section(4, b"a key")], "unexpected end of data");
    }

    #[test]
    fn only_critical_extensions_are_errors() {
        let extension = |is_critical| [string(b"x@example.com"), vec![is_critical], string(b"")].concat();
        let problem = "unsupported critical extension `x@example.com`";
        assert!(parse(&[section(255, &extension(0))]).is_ok());
        assert_error(&[section(255, &extension(1))], problem);
        assert!(parse(&[certificates(b"", &[section(0x39, &extension(0))])]).is_ok());
        assert_error(&[certificates(b"", &[section(0x39, &extension(2))])], problem);
    }

    #[test]
    fn unknown_and_damaged_sections_are_errors() {
        assert_error(&[section(6, b"")], "unsupported section type 6");
        assert_error(&[certificates(b"", &[section(0x24, b"")])], "unsupported certificate section type 0x24");
        assert_error(&[section(3, &string(&[0; 32]))], "a fingerprint has the wrong length");
        assert_error(&[section(5, &string(&[0; 20]))], "a fingerprint has the wrong length");
        assert_error(&[section(2, b"\0\0\0\x09short")], "unexpected end of data");
        assert_error(&[certificates(b"", &[section(0x21, &[1; 17])])], "unexpected trailing bytes");
        assert_error(&[certificates(b"", &[section(0x20, &[0; 8])])], "serial number 0 is not allowed");
        assert_error(&[certificates(b"x", &[])], "invalid authority key: not a public key: unexpected end of data");
        let certificate = string(b"ssh-ed25519-cert-v01@openssh.com");
        assert_error(
            &[certificates(&certificate, &[])],
            "invalid authority key: not a public key: unexpected end of data",
        );
    }

    #[test]
    fn every_shorter_list_is_an_error() {
        let bytes = [HEADER, &string(b""), &string(b""), &section(2, &string(key(1).blob()))].concat();
        let no_sections = HEADER.len() + 8;
        for length in 8..bytes.len() {
            assert_eq!(Krl::parse(&bytes[..length]).is_ok(), length == no_sections, "{length} bytes");
        }
        let version = [&bytes[..8], b"\0\0\0\x02", &bytes[12..]].concat();
        assert_eq!(Krl::parse(&version).map(|_| ()), Err("unsupported format version 2".to_owned()));
    }
}
