//! [`Client`]: makes the connections of one run, and holds its settings, output and approval.

mod approve;
mod builder;
mod current;
mod handle;
mod into_host;
mod open;

pub use builder::ClientBuilder;
pub use handle::Client;
pub use into_host::IntoHost;
