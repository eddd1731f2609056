//! Patterns of paths below a folder: what is left out, what is left alone.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, ErrorKind, Result};

/// Patterns that a path matches by its name, or, where the pattern has a `/`, by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns(GlobSet);

impl Patterns {
    /// Reads patterns; `what` they are for is in the error of what is none.
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a String>, operation: &str) -> Result<Self> {
        let bad = |source| Error::new(ErrorKind::Usage, format!("what is {operation} is no pattern")).caused_by(source);
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            // As for rsync and git, a leading `/` is the folder itself.
            let pattern = pattern.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
            set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(bad)?);
        }
        Ok(Self(set.build().map_err(bad)?))
    }

    pub(super) fn matches(&self, path: &Path) -> bool {
        self.0.is_match(path) || path.file_name().is_some_and(|name| self.0.is_match(name))
    }

    /// Tells whether a path matches, or a folder that it is in.
    pub(super) fn cover(&self, path: &Path) -> bool {
        path.ancestors().any(|path| self.matches(path))
    }
}
