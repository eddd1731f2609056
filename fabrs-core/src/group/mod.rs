//! Several hosts as one, and the outcome of each host.

mod ambient;
mod batch_size;
mod batches;
mod connection_group;
mod outcome;
mod outcomes;
mod strategy;

pub use ambient::{Role, Targets, on, role};
pub use batch_size::{BatchSize, BatchSizeError, IntoBatchSize};
pub use batches::Batches;
pub use connection_group::Group;
pub use outcome::Outcome;
pub use outcomes::{HostFailures, Outcomes};
pub use strategy::Strategy;

pub(crate) use strategy::{lost_after_use, run_on_hosts};
