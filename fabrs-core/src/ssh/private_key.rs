//! Parsing of private key files: OpenSSH format, PEM and PKCS#8, with or without a passphrase.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use russh::keys::{PrivateKey, PublicKey, decode_secret_key};

use crate::open_files;
use crate::ssh::pem::{EncryptedPem, PemError};

/// The content of a key file.
#[derive(Debug)]
pub(super) enum KeyContent {
    Open(Box<PrivateKey>),
    Locked(LockedKey),
    /// The file has only a public key. The private key must be in the agent.
    Public(PublicKey),
}

/// A private key protected by a passphrase.
#[derive(Debug)]
pub(super) enum LockedKey {
    OpenSsh(Box<PrivateKey>),
    Pem(EncryptedPem),
    /// PKCS#8, as the text of the file.
    Pkcs8(String),
}

/// The error of a file without a usable key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("it can't be read: {0}")]
    Read(#[from] io::Error),
    #[error("{0}")]
    Format(#[from] russh::keys::Error),
    #[error("{0}")]
    Pem(#[from] PemError),
}

/// A key file.
#[derive(Debug)]
pub(super) struct ReadKey {
    pub(super) content: KeyContent,
    /// The mode of a private key readable by other users.
    pub(super) exposed: Option<u32>,
    /// The reason that only the public key beside the file can be used.
    pub(super) problem: Option<KeyError>,
}

/// Reads a key file. Falls back to the public key in the `.pub` file beside it. Returns `None` if
/// neither file exists.
///
/// # Errors
///
/// [`KeyError`] if the file has no usable key and there is no public key beside it.
pub(super) fn read(path: &Path) -> Result<Option<ReadKey>, KeyError> {
    let read = || -> Result<ReadKey, KeyError> {
        let file = File::open(path)?;
        let exposed = exposed_mode(&file.metadata()?);
        let text = io::read_to_string(file)?;
        Ok(ReadKey { content: parse(&text)?, exposed, problem: None })
    };
    let problem = match read() {
        Ok(key) => return Ok(Some(key)),
        Err(problem) if open_files::is_exhausted(&problem) => return Err(problem),
        Err(problem) => problem,
    };
    let is_missing = matches!(&problem, KeyError::Read(error) if error.kind() == io::ErrorKind::NotFound);
    match public_beside(path) {
        Some(public) => {
            let problem = (!is_missing).then_some(problem);
            Ok(Some(ReadKey { content: KeyContent::Public(public), exposed: None, problem }))
        }
        None if is_missing => Ok(None),
        None => Err(problem),
    }
}

/// Returns the public key in the file beside a private key.
pub(super) fn public_beside(path: &Path) -> Option<PublicKey> {
    let text = fs::read_to_string(path.with_added_extension("pub")).ok()?;
    PublicKey::from_openssh(&text).ok()
}

/// Returns the mode of a file readable by other users. Like ssh, this checks only files owned by
/// the current user.
fn exposed_mode(metadata: &fs::Metadata) -> Option<u32> {
    let is_own = metadata.uid() == rustix::process::getuid().as_raw();
    (is_own && metadata.mode() & 0o077 != 0).then_some(metadata.mode() & 0o7777)
}

fn parse(text: &str) -> Result<KeyContent, KeyError> {
    if let Ok(public) = PublicKey::from_openssh(text) {
        return Ok(KeyContent::Public(public));
    }
    if let Ok(key) = PrivateKey::from_openssh(text) {
        let locked = key.is_encrypted();
        return Ok(if locked {
            KeyContent::Locked(LockedKey::OpenSsh(Box::new(key)))
        } else {
            KeyContent::Open(Box::new(key))
        });
    }
    if let Some(file) = EncryptedPem::parse(text) {
        return Ok(KeyContent::Locked(LockedKey::Pem(file?)));
    }
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Ok(KeyContent::Locked(LockedKey::Pkcs8(text.to_owned())));
    }
    Ok(KeyContent::Open(Box::new(decode_secret_key(text, None)?)))
}

impl LockedKey {
    /// Returns the public key, if the file has it without encryption.
    pub(super) fn public(&self) -> Option<PublicKey> {
        match self {
            Self::OpenSsh(key) => Some(key.public_key().clone()),
            Self::Pem(_) | Self::Pkcs8(_) => None,
        }
    }

    /// Returns the private key, or `None` if the passphrase is wrong.
    pub(super) fn unlock(&self, passphrase: &str) -> Option<PrivateKey> {
        match self {
            Self::OpenSsh(key) => key.decrypt(passphrase).ok(),
            Self::Pem(file) => decode_secret_key(&file.decrypt(passphrase)?, None).ok(),
            Self::Pkcs8(text) => decode_secret_key(text, Some(passphrase)).ok(),
        }
    }
}
