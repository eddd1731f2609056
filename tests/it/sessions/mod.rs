//! Many commands on one connection: who waits, who does not, and what becomes of them when it breaks.

mod ahead;
mod broken;
mod places;
mod streams;
