//! [`SpaceToFree`]: the space to free on a host before a build.

use crate::release::ReleaseId;

/// The space to free on a host before a build, and the removable releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpaceToFree {
    /// The space for the build.
    pub(crate) kib: u64,
    pub(crate) inodes: u64,
    /// The removable releases, the oldest first.
    pub(crate) removable: Vec<ReleaseId>,
}
