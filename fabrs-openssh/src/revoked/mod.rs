//! Revoked host keys: the file of `RevokedHostKeys`, as `ssh` evaluates it.
//!
//! The file is a binary key revocation list (KRL, made by `ssh-keygen -k`) or a text list of public keys.
//! [`RevokedKeys::load`] reads either form. [`RevokedKeys::lookup_key`] and [`RevokedKeys::lookup_certificate`] return
//! a [`Revocation`] for a key or certificate that must not be accepted.
//!
//! `ssh` refuses every host if it cannot read the file. A caller has to do the same on an error.

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
