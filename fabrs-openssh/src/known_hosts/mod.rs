//! `known_hosts` files: lookups of host keys and certificates, and new entries.
//!
//! A client uses the module in these steps:
//!
//! - [`KnownHosts::load`] reads the files.
//! - [`KnownHosts::has_marked_entries`] decides if the client offers certificate algorithms first.
//! - [`KnownHosts::algorithms_for`] returns the preferred key types for the key exchange.
//! - [`KnownHosts::check_certificate`] checks the certificate of the server.
//! - [`KnownHosts::lookup`] compares the key of the server with the recorded keys.
//! - [`format_entry`] and [`append_entry`] record an accepted key.
//!
//! The caller acts on the [`HostKeyStatus`]. This module never accepts a key.

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
