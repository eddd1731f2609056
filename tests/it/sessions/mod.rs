//! Many commands on one connection: session limits, independent streams, and lost connections.

mod lost_connections;
mod prefetched_channels;
mod session_limits;
mod streams;
