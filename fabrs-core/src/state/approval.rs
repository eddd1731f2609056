//! [`Approval`]: the approval of a run, and the fingerprint of its changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use crate::mutex::lock;
use crate::transport::RunApproval;

/// The length of a fingerprint before its hex encoding.
const FINGERPRINT_BYTES: usize = 8;

/// The approval of a run, with the inputs of its fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Approval {
    approved: RunApproval,
    /// True if changes wait for the approval.
    is_required: bool,
    /// Facts known before the run: its program, tasks, arguments and hosts.
    parts: Mutex<Vec<String>>,
    /// Values computed once for all hosts, by name.
    once_values: Mutex<BTreeMap<String, String>>,
    /// The fingerprints of a dry run that no note has shown yet.
    unshown: Mutex<Vec<String>>,
}

impl Approval {
    pub(crate) fn new(parts: Vec<String>, is_required: bool) -> Self {
        Self { is_required, parts: Mutex::new(parts), ..Self::default() }
    }

    /// Returns the fingerprint of the run and its pending changes: 16 hex digits, equal only for
    /// equal inputs.
    pub(crate) fn fingerprint(&self, pending: &str) -> String {
        let mut digest = Context::new(&SHA256);
        let parts = self.parts();
        let once_values = self.once_values();
        let once_values = once_values.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        for part in parts.iter().map(String::as_str).chain(once_values).chain([pending]) {
            // The length goes first, so two different lists of parts never hash the same bytes.
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        HEXLOWER.encode(digest.finish().as_ref().get(..FINGERPRINT_BYTES).unwrap_or_default())
    }

    /// Adds a fact to the inputs of the fingerprint.
    pub(crate) fn add_part(&self, part: String) {
        self.parts().push(part);
    }

    /// Adds a value computed once for all hosts to the inputs of the fingerprint.
    pub(crate) fn add_once_value(&self, name: &str, value: &serde_json::Value) {
        self.once_values().insert(name.to_owned(), value.to_string());
    }

    /// Records a fingerprint of a dry run, for a note at its end.
    pub(crate) fn add_unshown(&self, fingerprint: String) {
        let mut unshown = lock(&self.unshown);
        if !unshown.contains(&fingerprint) {
            unshown.push(fingerprint);
        }
    }

    /// Returns the fingerprints recorded since the last call.
    pub(crate) fn take_unshown(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.unshown))
    }

    pub(crate) fn approve(&self) {
        self.approved.grant();
    }

    pub(crate) fn is_approved(&self) -> bool {
        self.approved.is_granted()
    }

    /// Returns `true` if changes are allowed: the run is approved, or needs no approval.
    pub(crate) fn allows_changes(&self) -> bool {
        !self.is_required || self.is_approved()
    }

    /// Returns the flag for transports, checked before a change.
    pub(crate) fn flag(&self) -> RunApproval {
        self.approved.clone()
    }

    fn parts(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.parts)
    }

    fn once_values(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        lock(&self.once_values)
    }
}
