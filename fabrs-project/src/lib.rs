//! The project of a `tasks.rs` on disk: its location, its identity, and the owner checks of its
//! files.
//!
//! Two programs use this crate. `fab` finds the project and checks the owners of its files before
//! the launcher compiles them. The compiled tool, the program built from `tasks.rs`, checks its
//! identity and `fabrs.toml` at startup.

mod identity;
mod project;
mod project_checks;
mod trust;

pub use identity::check_identity;
pub use project::Project;
pub use project_checks::{check_project, check_ssh_config, check_vagrantfile};
pub use trust::file_trust::FileTrust;
