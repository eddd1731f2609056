//! [`RoomToMake`]: old releases to remove before a build.

use crate::release::ReleaseId;

/// The releases to remove before a build on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomToMake {
    /// The space for the build.
    pub(crate) kib: u64,
    pub(crate) inodes: u64,
    /// The removable releases, the oldest first.
    pub(crate) removable: Vec<ReleaseId>,
}
