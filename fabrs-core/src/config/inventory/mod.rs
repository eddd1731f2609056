//! The inventory: selects the hosts of a task from `-H`, the task and the environment.

mod inventory;
#[cfg(test)]
mod tests;
mod vagrant;
#[cfg(test)]
mod vagrant_tests;

pub use inventory::Inventory;
