//! Host addresses: `user@name:port`, ranges and lists.
//!
//! This module only parses text. It resolves no names and has no defaults: settings supply a
//! missing user or port.

mod error;
mod host;
mod host_list;
mod range;

pub use error::HostError;
pub use host::{Host, HostLabel};
