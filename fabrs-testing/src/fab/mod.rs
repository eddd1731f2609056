//! Runner for the `fab` binary.

mod environment;
mod expectations;
mod output;
mod runner;
mod running;
mod setup;

pub use environment::trusted_folders;
pub use output::FabOutput;
pub use runner::Fab;
pub use running::RunningFab;
