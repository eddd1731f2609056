//! [`Patterns`]: glob patterns of excluded and protected paths.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, ErrorKind, Result};

/// Glob patterns for paths below a directory. A pattern with a `/` matches the path. A pattern
/// without a `/` matches the file name. A `/` at the start or the end does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patterns(GlobSet);

impl Patterns {
    /// Parses patterns. `operation` is the use of the patterns, for errors.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a String>, operation: &str) -> Result<Self> {
        let bad =
            |source| Error::new(ErrorKind::Usage, format!("invalid pattern for {operation} files")).caused_by(source);
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            // A leading `/` is the directory itself. Unlike in rsync and git, `/name` also matches
            // `name` in a subdirectory.
            let pattern = pattern.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
            set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(bad)?);
        }
        Ok(Self(set.build().map_err(bad)?))
    }

    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.0.is_match(path) || path.file_name().is_some_and(|name| self.0.is_match(name))
    }

    /// Returns true if a path or one of its parent directories matches.
    pub(crate) fn cover(&self, path: &Path) -> bool {
        path.ancestors().any(|path| self.matches(path))
    }
}
