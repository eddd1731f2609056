//! Releases: what is on a host, and what each says of itself.

mod foreign;
mod id;
mod layout;
mod manifest;
mod survey;

pub use id::ReleaseId;
pub use manifest::{Bad, Manifest};

pub(crate) use layout::{ACCEPTED, BAD, Kind, LOCK, Layout, Layouts, MANIFEST, MIGRATION_LOG, UNFINISHED, WORKS};
pub(crate) use survey::{Current, Found, Survey};
