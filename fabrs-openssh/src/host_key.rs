//! Public keys in SSH wire format, and their fingerprints.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// A public key in SSH wire format, with the name of its type.
///
/// The type names the key (`ssh-rsa`), not a signature made with the key (`rsa-sha2-512`). Displays
/// as in a `known_hosts` file: the type and the key in base64.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostKey {
    algorithm: String,
    blob: Vec<u8>,
}

impl HostKey {
    /// Parses the key of a host in SSH wire format. The type is the first string of the bytes.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] if the bytes do not start with the name of a type, or end after the
    /// name.
    pub fn from_blob(blob: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let blob = blob.into();
        let (length, rest) = blob.split_first_chunk().ok_or(Error::PublicKey { problem: "unexpected end of data" })?;
        let name = usize::try_from(u32::from_be_bytes(*length))
            .ok()
            .and_then(|length| rest.get(..length))
            .filter(|name| name.len() < rest.len())
            .ok_or(Error::PublicKey { problem: "unexpected end of data" })?;
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err(Error::PublicKey { problem: "the data does not start with a key type" });
        }
        let algorithm = String::from_utf8_lossy(name).into_owned();
        Ok(Self { algorithm, blob })
    }

    /// Returns the type of the key, such as `ssh-ed25519`.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Returns the key in SSH wire format, including its type.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Returns the fingerprint of the key, as [`fingerprint_sha256`].
    pub fn fingerprint(&self) -> String {
        fingerprint_sha256(&self.blob)
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, BASE64.encode(&self.blob))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({} {})", self.algorithm, self.fingerprint())
    }
}

/// Returns the fingerprint of a public key as `ssh` prints it: `SHA256:` and base64 without
/// padding.
pub fn fingerprint_sha256(blob: &[u8]) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(blob)))
}

#[cfg(test)]
mod tests {
    use super::HostKey;

    #[test]
    fn the_type_is_the_first_string_of_the_key() {
        let key = HostKey::from_blob(*b"\0\0\0\x0bssh-ed25519\0\0\0\x01x").expect("the key is well formed");
        assert_eq!(key.algorithm(), "ssh-ed25519");
        assert_eq!(key.to_string(), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=");
    }

    #[test]
    fn bytes_without_a_key_are_rejected() {
        let bad: [&[u8]; 6] =
            [b"", b"\0\0\0", b"\0\0\0\0x", b"\0\0\0\x03ssh", b"\xff\xff\xff\xffssh", b"\0\0\0\x02\n x"];
        for blob in bad {
            assert!(HostKey::from_blob(blob).is_err(), "{blob:?}");
        }
    }
}
