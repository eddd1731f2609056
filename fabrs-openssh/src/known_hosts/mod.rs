//! `known_hosts`: whether the key that a server shows is the one on record.
//!
//! A connection reads the files into [`KnownHosts`], asks [`KnownHosts::algorithms_for`] which kinds of key to ask
//! the server for, and holds the key that it is shown against [`KnownHosts::lookup`]. What the user or a setting then
//! accepts is recorded with [`format_entry`] and [`append_entry`]. Where [`KnownHosts::has_marked_entries`] says so it asks for
//! certificates first, and holds the one that it is shown against [`KnownHosts::check_certificate`]. What a [`HostKeyStatus`] leads to is the caller's decision;
//! nothing here accepts a key.

mod append;
mod certificate_status;
mod entry;
mod host_key_status;
mod host_matcher;
mod host_name;
mod lookup;

pub use crate::host_key::{HostKey, fingerprint_sha256};
pub use append::{append_entry, format_entry};
pub use certificate_status::CertificateStatus;
pub use entry::{Entry, Marker};
pub use host_key_status::HostKeyStatus;
pub use host_matcher::SALT_LEN;
pub use host_name::HostName;
pub use lookup::KnownHosts;
