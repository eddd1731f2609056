//! A machine's address as people write it: `user@name:port`.
//!
//! Pure text: nothing here resolves a name or knows a default. Settings decide what a missing user or port means.

mod error;
mod host;
mod host_list;
mod range;

pub use error::HostError;
pub use host::{Host, Label};
