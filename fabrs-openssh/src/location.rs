//! Positions in configuration files, and warnings about ignored lines.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A line of a file. Displays as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The path of the file, as passed by the caller.
    pub file: Arc<Path>,
    /// The line number, counted from 1.
    pub line: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A warning about an ignored line. Displays as `file:line: text`.
///
/// A line causes equal warnings for all hosts. A caller with many hosts can deduplicate them in a
/// set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warning {
    /// The line.
    pub at: Location,
    /// The ignored part, and the effect.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
    }
}
