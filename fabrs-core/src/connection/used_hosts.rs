//! The hosts on which commands of a client have run: a host that fails afterwards was not merely unreachable.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use crate::host::Host;

/// A flag for each host of a client, which all its connections to the host share.
#[derive(Debug, Default)]
pub(super) struct UsedHosts(Mutex<HashMap<Host, Arc<AtomicBool>>>);

impl UsedHosts {
    /// Returns the flag of a host: whether a command has run there, or may have.
    pub(super) fn flag(&self, host: &Host) -> Arc<AtomicBool> {
        let mut flags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flags.entry(host.clone()).or_default())
    }
}
