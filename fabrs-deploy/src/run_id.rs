//! The id of one deploy or rollback, for its manifests and its report.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use fabrs::config::Operator;

/// The id of one deploy or rollback: 12 random hexadecimal digits.
///
/// The manifest of a release and the report of its deploy have the same id. Two deploys in one run
/// of `fab` have different ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(String);

impl RunId {
    /// Creates a random id.
    pub(crate) fn new() -> Self {
        // The id distinguishes runs and is not a secret: without randomness the process id is
        // enough.
        let mut bytes = [0; 6];
        if getrandom::fill(&mut bytes).is_err() {
            bytes[..4].copy_from_slice(&std::process::id().to_le_bytes());
        }
        Self(data_encoding::HEXLOWER.encode(&bytes))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
