//! Revoked host keys: the file of `RevokedHostKeys`, as evaluated by `ssh`.
//!
//! The file is a binary key revocation list (KRL, created by `ssh-keygen -k`) or a text list of
//! public keys. [`RevokedKeys::load`] reads either form. [`RevokedKeys::lookup_key`] and
//! [`RevokedKeys::lookup_certificate`] return a [`Revocation`] for a revoked key or certificate.
//!
//! If the file cannot be read, `ssh` rejects every host. On an error, a caller must do the same.

mod certificates;
mod extension;
mod key_list;
mod krl;
mod plain_key;
mod revocation;
mod revoked_keys;
mod serials;
mod wire_reader;

pub use revocation::Revocation;
pub use revoked_keys::RevokedKeys;
