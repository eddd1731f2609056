//! A cache of `known_hosts` files, shared by all hosts.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use fabrs_openssh::known_hosts::KnownHosts;

use crate::error::{Error, ErrorKind, Result};
use crate::mutex::lock;

/// The `known_hosts` files read so far. A hundred hosts read each file once.
#[derive(Debug, Default)]
pub(super) struct KnownHostsFiles {
    read: Mutex<HashMap<Vec<PathBuf>, Arc<KnownHosts>>>,
    /// The keys declined by a person, by name and fingerprint. Locked during a prompt, so its
    /// answer also applies to other connections to the same name. An accepted key is recorded in
    /// the file instead.
    pub(super) declined: tokio::sync::Mutex<HashSet<(String, String)>>,
}

impl KnownHostsFiles {
    /// Returns the entries of these files.
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
