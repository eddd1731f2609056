//! A runner for the `fab` binary.

mod checks;
mod environment;
mod runner;
mod running;

pub use environment::trusted_folders;
pub use runner::Fab;
pub use running::{Ran, Running};
