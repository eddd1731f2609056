//! Releases: what is on a host, and what each says of itself.

pub(crate) mod id;
pub(crate) mod layout;
pub(crate) mod manifest;
pub(crate) mod survey;
mod untrusted_json;

pub use id::ReleaseId;
pub use manifest::{Bad, Manifest};

pub(crate) use layout::{ACCEPTED, BAD, Kind, LOCK, Layout, Layouts, MANIFEST, UNFINISHED, WORKS};
pub(crate) use survey::{Current, Found, Survey};
