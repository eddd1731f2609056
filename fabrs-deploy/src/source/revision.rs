//! A revision: a commit, with the name it was resolved from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A commit, with the name it was resolved from.
///
/// Shown as `deployable-314 (1a2b3c4d5e)`, or as `1a2b3c4d5e` if the name is the commit id itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revision {
    /// The full commit id.
    pub commit: String,
    /// The requested tag, branch or commit, or the tag of the last good build.
    pub name: String,
}

impl Revision {
    pub(crate) fn new(commit: impl Into<String>, name: impl Into<String>) -> Self {
        Self { commit: commit.into(), name: name.into() }
    }

    /// Returns the first 10 digits of the commit id.
    pub fn short(&self) -> &str {
        self.commit.get(..10).unwrap_or(&self.commit)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commit.starts_with(&self.name) {
            return f.write_str(self.short());
        }
        write!(f, "{} ({})", self.name, self.short())
    }
}
