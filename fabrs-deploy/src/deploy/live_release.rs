//! The result of a deploy or a rollback: the release now live.

use crate::release::ReleaseId;
use crate::source::Revision;

/// The release made live on all hosts by a deploy or a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveRelease {
    /// The id of the release.
    pub release: ReleaseId,
    /// The revision of the release.
    pub revision: Revision,
}
