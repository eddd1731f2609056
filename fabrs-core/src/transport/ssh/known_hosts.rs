//! The known-hosts files, read once for all hosts.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use fabrs_openssh::known_hosts::KnownHosts;

use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;

/// The known-hosts files that were read, so that a hundred hosts read them once.
#[derive(Debug, Default)]
pub(super) struct KnownHostsFiles {
    read: Mutex<HashMap<Vec<PathBuf>, Arc<KnownHosts>>>,
    /// Held while a question is asked, so that the answer to one host's is known to the next: a yes by the record, a no by
    /// the name and the fingerprint that are kept here.
    pub(super) asking: tokio::sync::Mutex<HashSet<(String, String)>>,
}

impl KnownHostsFiles {
    /// Returns what the files hold.
    pub(super) fn load(&self, files: &[PathBuf]) -> Result<Arc<KnownHosts>> {
        let mut read = lock(&self.read);
        if let Some(known) = read.get(files) {
            return Ok(Arc::clone(known));
        }
        let known = KnownHosts::load(files)
            .map_err(|source| Error::new(ErrorKind::HostKey, "could not read the known hosts").caused_by(source))?;
        let known = Arc::new(known);
        read.insert(files.to_vec(), Arc::clone(&known));
        Ok(known)
    }

    pub(super) fn forget(&self) {
        lock(&self.read).clear();
    }
}
