//! [`Patterns`]: glob patterns of excluded and protected paths.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, ErrorKind, Result};

/// Glob patterns for paths below a directory, as in git and rsync.
///
/// A pattern with a `/` at the start or inside matches the path. Any other pattern matches the file
/// name. A `/` at the end does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patterns {
    paths: GlobSet,
    names: GlobSet,
}

impl Patterns {
    /// Parses patterns. `adjective` describes the matched files in errors, as in "excluded".
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a String>, adjective: &str) -> Result<Self> {
        let bad =
            |source| Error::new(ErrorKind::Usage, format!("invalid pattern for {adjective} files")).caused_by(source);
        let (mut paths, mut names) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let pattern = pattern.trim_end_matches('/');
            let glob = |pattern| GlobBuilder::new(pattern).literal_separator(true).build().map_err(bad);
            match pattern.strip_prefix("./").or_else(|| pattern.strip_prefix('/')) {
                Some(path) => paths.add(glob(path.trim_start_matches('/'))?),
                None if pattern.contains('/') => paths.add(glob(pattern)?),
                None => names.add(glob(pattern)?),
            };
        }
        Ok(Self { paths: paths.build().map_err(bad)?, names: names.build().map_err(bad)? })
    }

    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.paths.is_match(path) || path.file_name().is_some_and(|name| self.names.is_match(name))
    }

    /// Returns true if a path or one of its parent directories matches.
    pub(crate) fn cover(&self, path: &Path) -> bool {
        path.ancestors().any(|path| self.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Patterns::new(&[pattern.to_owned()], "excluded").expect("a valid pattern").matches(path.as_ref())
    }

    #[test]
    fn a_leading_slash_anchors_a_pattern_at_the_directory() {
        for pattern in ["/build", "./build", "/build/"] {
            assert!(matches(pattern, "build"), "{pattern}");
            assert!(!matches(pattern, "app/build"), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_without_a_slash_matches_a_name_at_any_depth() {
        for pattern in ["*.log", "*.log/"] {
            assert!(matches(pattern, "a.log") && matches(pattern, "b/c/a.log"), "{pattern}");
        }
        assert!(!matches("a", "b/ab"));
    }

    #[test]
    fn a_pattern_with_an_inner_slash_matches_the_path() {
        assert!(matches("b/*.log", "b/a.log"));
        assert!(!matches("b/*.log", "a/b/a.log") && !matches("b/*.log", "b/c/a.log"));
        assert!(matches("**/b/*.log", "a/b/a.log"));
    }
}
