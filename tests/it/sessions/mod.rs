//! Many commands on one connection: session limits, independent streams, and lost connections.

mod ahead;
mod broken;
mod places;
mod streams;
