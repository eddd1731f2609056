//! A runner for the `fab` binary.

mod checks;
mod environment;
mod ran;
mod runner;
mod running;
mod settings;

pub use environment::trusted_folders;
pub use ran::Ran;
pub use runner::Fab;
pub use running::Running;
