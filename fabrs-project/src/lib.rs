//! The project of a `tasks.rs` on disk: its location, its identity, and the owners of its files.
//!
//! Two programs use this crate. `fab` finds the project and checks its files before it compiles them. The compiled tool
//! checks its identity and `fabrs.toml` when it starts.

mod checks;
mod find;
mod identity;
mod trust;

pub use checks::{check_project, check_vagrantfile};
pub use find::Project;
pub use identity::check_identity;
pub use trust::check::FileTrust;
