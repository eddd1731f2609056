//! Revoked host keys (`RevokedHostKeys`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fabrs_openssh::certificate::HostCertificate;
use fabrs_openssh::known_hosts::HostKey;
use fabrs_openssh::revoked::RevokedKeys;

use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::mutex::lock;

/// A cache of revocation files, shared by all hosts.
#[derive(Debug, Default)]
pub(super) struct RevokedKeysFiles {
    read: Mutex<HashMap<PathBuf, Result<Arc<RevokedKeys>>>>,
}

/// The key or certificate presented by a server.
pub(super) enum PresentedKey<'a> {
    Key(&'a HostKey),
    Certificate(&'a HostCertificate),
}

impl RevokedKeysFiles {
    /// Checks a key against a revocation file. As in ssh, the check does not depend on
    /// `StrictHostKeyChecking`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HostKey`] if the key is revoked, or the file can't be read.
    pub(super) fn check(&self, file: &Path, presented: &PresentedKey<'_>) -> Result<()> {
        let revoked = self.load(file)?;
        let (revocation, key) = match presented {
            PresentedKey::Key(key) => (revoked.lookup_key(key), *key),
            PresentedKey::Certificate(certificate) => (revoked.lookup_certificate(certificate), &certificate.key),
        };
        let Some(revocation) = revocation else { return Ok(()) };
        let cause = format!("revoked in {}; the host shows {}", file.display(), key.fingerprint());
        Err(Error::new(ErrorKind::HostKey, revocation.to_string()).caused_by(CauseText(cause)))
    }

    fn load(&self, file: &Path) -> Result<Arc<RevokedKeys>> {
        let mut read = lock(&self.read);
        let load = || {
            RevokedKeys::load(file).map(Arc::new).map_err(|source| {
                Error::new(ErrorKind::HostKey, "could not read the revoked host keys (`RevokedHostKeys`)")
                    .caused_by(source)
                    .hint("restore the file, or remove `RevokedHostKeys` from the ssh config: no host is trusted while the file is unreadable")
            })
        };
        read.entry(file.to_owned()).or_insert_with(load).clone()
    }
}
