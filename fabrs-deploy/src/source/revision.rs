//! What of a source is put live.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A commit, under the name by which it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revision {
    /// The commit, in full.
    pub commit: String,
    /// The tag, branch or commit that was asked for, or that was the last good one.
    pub name: String,
}

impl Revision {
    pub(crate) fn new(commit: impl Into<String>, name: impl Into<String>) -> Self {
        Self { commit: commit.into(), name: name.into() }
    }

    /// Returns the beginning of the commit, as people write it.
    pub fn short(&self) -> &str {
        self.commit.get(..10).unwrap_or(&self.commit)
    }
}

/// Shows `deployable-314 (1a2b3c4d5e)`, or the commit alone where that was asked for.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commit.starts_with(&self.name) {
            return f.write_str(self.short());
        }
        write!(f, "{} ({})", self.name, self.short())
    }
}
