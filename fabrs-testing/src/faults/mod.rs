//! Network faults.
//!
//! - [`Proxy`] cuts, stalls, delays or splits the traffic between a client and a server.
//! - [`Proxy::silent`] accepts connections and never answers.
//! - [`RefusedPort`] is an address without a listener.

mod proxy;
mod pump;
mod refused_port;
mod state;

pub use proxy::Proxy;
pub use refused_port::RefusedPort;
pub use state::{Cut, Direction, Traffic};
