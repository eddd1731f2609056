//! [`OutputQueue`]: one thread that writes what sinks hand over, so that nobody else waits for a slow terminal.

mod block;
mod block_queue;
mod destinations;
mod lost_output;
pub(super) mod queue;
mod stdio;
#[cfg(test)]
mod tests;

pub use queue::OutputQueue;
