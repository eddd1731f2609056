//! Releases: ids, manifests, paths, and the survey of the releases on a host.

mod host_revert;
pub(crate) mod id;
pub(crate) mod layout;
pub(crate) mod manifest;
pub(crate) mod side;
pub(crate) mod survey;
pub(crate) mod untrusted_json;

pub use host_revert::{HostRevert, HostRevertState};
pub use id::ReleaseId;
pub use manifest::{BadMark, HeldMark, Manifest};
pub use side::BlueGreenSide;

pub(crate) use layout::{
    ACCEPTED_FILE, BAD_FILE, DRAINED_FILE, HELD_FILE, HOST_REVERT_DIR, LOCK_NAME, Layout, Layouts, MANIFEST_FILE,
    SIDE_FILE, SiteKind, UNFINISHED_FILE, VERIFIED_FILE,
};
pub(crate) use survey::{CurrentLink, FoundRelease, Survey};
