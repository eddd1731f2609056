//! Shell functions shared by several scripts.

/// `fail MESSAGE`: reports an error, and ends the script.
pub(crate) const FAIL: &str = include_str!("../sh/fail.sh");
/// `sum`: prints the SHA-256 of stdin.
pub(crate) const SUM: &str = include_str!("../sh/sum.sh");
/// `sweep DIRECTORY`: removes stale temporary directories.
pub(crate) const SWEEP: &str = include_str!("../sh/sweep.sh");
/// `make_private`: makes the current directory private.
pub(crate) const MAKE_PRIVATE: &str = include_str!("../sh/make_private.sh");
/// `remove PATH...`: removes paths, including directories without write permission.
pub(crate) const REMOVE: &str = include_str!("../sh/remove.sh");
/// `preamble`: skips the first line of stdin.
pub(crate) const PREAMBLE: &str = include_str!("../sh/preamble.sh");
/// Follows a symlink at the target `$t`.
pub(crate) const FOLLOW: &str = include_str!("../sh/follow.sh");
