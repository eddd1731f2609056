//! Releases: what is on a host, and what each says of itself.

mod foreign;
mod id;
mod layout;
mod manifest;
mod survey;

pub use id::ReleaseId;
pub use manifest::{Bad, Manifest};

pub(crate) use layout::{BAD, Kind, LOCK, Layout, Layouts, MANIFEST, UNFINISHED, WORKS};
pub(crate) use survey::{Current, Found, Survey};
