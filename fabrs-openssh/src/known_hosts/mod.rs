//! `known_hosts`: whether the key that a server shows is the one on record.
//!
//! A connection reads the files into [`KnownHosts`], asks [`KnownHosts::algorithms_for`] which kinds of key to ask
//! the server for, and holds the key that it is shown against [`KnownHosts::lookup`]. What the user or a setting then
//! accepts is recorded with [`entry_line`] and [`append`]. Where [`KnownHosts::may_vouch`] says so it asks for
//! certificates first, and holds the one that it is shown against [`KnownHosts::judge`]. What a [`Verdict`] leads to is the caller's decision;
//! nothing here accepts a key.

mod append;
mod authority;
mod entry;
mod host_name;
mod hosts;
mod lookup;
mod verdict;

pub use crate::host_key::{HostKey, fingerprint_sha256};
pub use append::{append, entry_line};
pub use authority::Judgement;
pub use entry::{Entry, Marker};
pub use host_name::HostName;
pub use hosts::SALT_LEN;
pub use lookup::KnownHosts;
pub use verdict::Verdict;
