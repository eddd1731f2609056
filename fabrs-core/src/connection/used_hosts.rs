//! [`UsedHosts`]: hosts with at least one started command. A later connection failure is then not
//! reported as an unreachable host.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::host::Host;
use crate::mutex::lock;

/// A flag for each host of a run, shared by all connections to the host.
#[derive(Debug, Default)]
pub(super) struct UsedHosts(Mutex<HashMap<Host, Arc<AtomicBool>>>);

impl UsedHosts {
    /// Returns the flag of a host, set as soon as a command may have started there.
    pub(super) fn flag(&self, host: &Host) -> Arc<AtomicBool> {
        let mut flags = lock(&self.0);
        Arc::clone(flags.entry(host.clone()).or_default())
    }
}
