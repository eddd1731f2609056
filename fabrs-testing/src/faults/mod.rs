//! A network that misbehaves as told.
//!
//! [`Proxy`] stands between a client and a server and cuts, stalls, delays or chops what passes;
//! [`Proxy::silent`] accepts and never answers; [`RefusedPort`] is an address where nobody listens.

mod proxy;
mod pump;
mod refused_port;
mod state;

pub use proxy::Proxy;
pub use refused_port::RefusedPort;
pub use state::{Cut, Direction, Traffic};
