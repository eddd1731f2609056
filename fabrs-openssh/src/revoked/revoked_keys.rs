//! A revocation list, read from a KRL or a text list.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::certificate::HostCertificate;
use crate::error::Error;
use crate::host_key::HostKey;

use super::key_list::KeyList;
use super::krl::{self, Krl};
use super::plain_key::plain_key;
use super::revocation::Revocation;

/// The maximum file size in bytes, as in `ssh`.
const MAX_FILE_SIZE: u64 = 128 << 20;

/// A list of revoked keys and certificates, read from a file.
#[derive(Clone, Debug)]
pub struct RevokedKeys {
    path: PathBuf,
    list: RevocationList,
}

#[derive(Clone, Debug)]
enum RevocationList {
    Krl(Krl),
    Keys(KeyList),
}

impl RevokedKeys {
    /// Reads a revocation list from a file.
    ///
    /// ```
    /// use fabrs_openssh::revoked::RevokedKeys;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("revoked_keys");
    /// assert!(RevokedKeys::load(&path).is_err(), "a missing file is an error");
    /// std::fs::write(&path, "# nothing yet\n")?;
    /// assert!(RevokedKeys::load(&path).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Error::Read`] if the file is missing, unreadable, or larger than 128 MiB.
    /// - [`Error::RevocationList`] if a KRL is damaged, or has an unsupported section, critical
    ///   extension or format version.
    /// - [`Error::Syntax`] if a line of a text list is not a public key.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = read_limited(path).map_err(|error| Error::read(path, error))?;
        Self::parse(&bytes, path)
    }

    /// Parses a revocation list. `path` is the file name in errors.
    ///
    /// A KRL starts with the bytes `SSHKRL\n\0`. Other files are text lists. Each line of a text
    /// list has the form `type base64 [comment]`. Blank lines, and lines that start with `#`, are
    /// skipped. Options before the type, as in `authorized_keys`, are an error. A certificate in a
    /// text list revokes the certified key.
    ///
    /// Like `ssh` since 9.4, this function does not verify signatures in a KRL. It ignores
    /// extensions that are not critical.
    ///
    /// Some lists are treated more strictly than in `ssh`:
    ///
    /// - A NUL byte in a text list is an error. `ssh` accepts the list, but skips keys.
    /// - A KRL with a certificate as an authority is an error. `ssh` accepts the list, but revokes
    ///   nothing.
    /// - RSA keys of less than 1024 bits are revoked. `ssh` skips them in a text list, because
    ///   `ssh` never accepts them.
    ///
    /// ```
    /// use fabrs_openssh::revoked::RevokedKeys;
    ///
    /// let error = RevokedKeys::parse(b"web1 ssh-ed25519 AAAA\n", "revoked_keys").unwrap_err();
    /// assert_eq!(error.to_string(), "revoked_keys:1: `web1` is not a key type");
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::RevocationList`] and [`Error::Syntax`], as [`load`](Self::load).
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let list = if bytes.starts_with(krl::MAGIC) {
            match Krl::parse(bytes) {
                Ok(krl) => RevocationList::Krl(krl),
                Err(problem) => return Err(Error::RevocationList { path, problem }),
            }
        } else {
            RevocationList::Keys(KeyList::parse(bytes, &path)?)
        };
        Ok(Self { path, list })
    }

    /// Returns the path of the file, as passed to [`load`](Self::load) or [`parse`](Self::parse).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks up the plain key of a host.
    ///
    /// A KRL lists the key, or its SHA-1 or SHA-256 fingerprint.
    ///
    /// ```
    /// use fabrs_openssh::known_hosts::HostKey;
    /// use fabrs_openssh::revoked::{Revocation, RevokedKeys};
    ///
    /// let key = |id| HostKey::from_blob([&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &[id; 32]].concat());
    /// let revoked = RevokedKeys::parse(format!("{} old key of web1\n", key(1)?).as_bytes(), "revoked_keys")?;
    /// assert_eq!(revoked.lookup_key(&key(1)?), Some(Revocation::Key));
    /// assert_eq!(revoked.lookup_key(&key(2)?), None);
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    pub fn lookup_key(&self, key: &HostKey) -> Option<Revocation> {
        self.contains(&plain_key_or_self(key)).then_some(Revocation::Key)
    }

    /// Looks up the certificate of a host.
    ///
    /// A certificate is revoked if its key or its authority is revoked. A KRL can also revoke a
    /// certificate by its key ID or serial number, for one authority or for all authorities. The
    /// serial number 0 is never revoked, because certificates without a number have the serial
    /// number 0.
    ///
    /// ```
    /// use fabrs_openssh::certificate::{HostCertificate, Validity};
    /// use fabrs_openssh::known_hosts::HostKey;
    /// use fabrs_openssh::revoked::{Revocation, RevokedKeys};
    ///
    /// let key = |id| HostKey::from_blob([&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &[id; 32]].concat());
    /// let certificate = HostCertificate {
    ///     key: key(1)?,
    ///     authority: key(2)?,
    ///     serial: 7,
    ///     key_id: "web1".to_owned(),
    ///     is_for_host: true,
    ///     principals: vec!["web1".to_owned()],
    ///     validity: Validity { from: 0, until: u64::MAX },
    ///     critical_options: Vec::new(),
    ///     signature_algorithm: "ssh-ed25519".to_owned(),
    /// };
    /// let revoked = RevokedKeys::parse(key(2)?.to_string().as_bytes(), "revoked_keys")?;
    /// assert_eq!(revoked.lookup_certificate(&certificate), Some(Revocation::Authority));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    pub fn lookup_certificate(&self, certificate: &HostCertificate) -> Option<Revocation> {
        let authority = plain_key_or_self(&certificate.authority);
        if self.contains(&plain_key_or_self(&certificate.key)) {
            return Some(Revocation::Key);
        }
        if let RevocationList::Krl(krl) = &self.list
            && let Some(revocation) = krl.lookup(certificate, &authority)
        {
            return Some(revocation);
        }
        self.contains(&authority).then_some(Revocation::Authority)
    }

    fn contains(&self, plain: &HostKey) -> bool {
        match &self.list {
            RevocationList::Krl(krl) => krl.contains(plain),
            RevocationList::Keys(keys) => keys.contains(plain),
        }
    }
}

/// Returns the plain key for comparisons, or the key itself if its type is unknown.
fn plain_key_or_self(key: &HostKey) -> HostKey {
    plain_key(key).unwrap_or_else(|_| key.clone())
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 128 MiB"));
    }
    Ok(bytes)
}
