//! Django: builds a release of a project, and migrates the database before or after the switch.

mod manage;
mod plan;
mod preview;
mod project;
mod state;

pub use manage::manage;
pub use project::Django;
