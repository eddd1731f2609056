//! The name of a run, and the person behind it.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use fabrs::config::Operator as Who;

/// The name of one run: of no meaning, but its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(String);

impl RunId {
    /// Makes a new one.
    pub(crate) fn new() -> Self {
        // It tells runs apart and guards nothing: when and where is enough, should there be no randomness.
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
