//! [`OutputQueue`]: writes stdout and stderr on a separate thread.
//!
//! A slow terminal therefore delays no other code.
//!
//! The printing sinks use the queue. A sink copies a piece of output into the current block. Full
//! blocks wait in the [`BlockQueue`](block_queue::BlockQueue), first in memory and then in a file.
//! The writer thread writes the blocks in order.

mod block;
mod block_queue;
mod destinations;
mod lost_output;
pub(super) mod queue;
mod stdio;
#[cfg(test)]
mod tests;

pub use queue::OutputQueue;
