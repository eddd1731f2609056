//! Where something stands, and what there is to say about it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A line in a file, shown as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file, as it was named when it was read.
    pub file: Arc<Path>,
    /// The line in it, counted from 1.
    pub line: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Something in a file that was passed over, shown as `file:line: text`.
///
/// The same line gives the same warning for every host, so a caller with many hosts can keep them in a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warning {
    /// The line.
    pub at: Location,
    /// What was passed over, and what that means.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
    }
}
