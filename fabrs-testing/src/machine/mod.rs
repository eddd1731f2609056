//! Real machines: Debian 12 with systemd, booted by systemd-nspawn.
//!
//! | part | mechanism |
//! |---|---|
//! | disk | an overlay file system above the cached base and an optional layer of packages |
//! | network | a network namespace with a bridge, without a route to another network |
//! | access | [a port on loopback](Machine::addr), [a thread inside](MachineNetwork::inside) |
//! | end | `cgroup.kill`, by the name of the network |

mod apt_source;
mod builder;
mod cache;
mod cgroup;
mod command;
mod disk;
mod lan;
mod leftovers;
mod machine;
mod network;
mod power;
mod relay;
mod requirements;

pub use builder::{MachineBuilder, MachineNetworkBuilder};
pub use machine::Machine;
pub use network::MachineNetwork;
pub(crate) use requirements::{missing, require};
