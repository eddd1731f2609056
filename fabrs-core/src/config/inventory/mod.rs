//! Which hosts a task runs on: those that were typed, else the task's own, else the environment's.

mod inventory;
#[cfg(test)]
mod tests;
mod vagrant;

pub use inventory::Inventory;
