//! Finds a project's `tasks.rs`, keeps a compiled tool of it in the cache, and becomes that tool.
//!
//! Called by `fab` before anything else: [`find`], then [`check_project`], [`prepare`] and [`exec`]; the tool calls [`arrive`] when it
//! starts. Nothing here knows what a task or a host is. If nothing has changed since the last run, `fab` only reads
//! one small file, calls `stat` for each input of the tool, and checks the project's own files. All sources were
//! checked when they were compiled. They are checked again if `FABRS_TRUST` or `SUDO_UID` has changed.
//!
//! ```text
//! <cache>/fabrs/target/                 what cargo compiled, for all projects: dependencies compile once
//! <cache>/fabrs/projects/<hash>/        the cache of one project, named by a hash of its path
//!     Cargo.toml  Cargo.lock  src/main.rs   the package around tasks.rs, which is its library target
//!     config.toml                           what cargo is told of the project's own cargo configuration
//!     bin/tasks-<hash>                      the tool, copied out of the target folder
//!     stamp                                 what it was made from
//!     lock                                  held by the `fab` that compiles
//! ```
//!
//! Package and binary carry the hash in their names: cargo tells members of different packages apart by name, and two
//! projects with equal names in one target folder would be given each other's tool.

mod atomic_write;
mod build_record;
mod cache_error;
mod cargo_command;
mod cargo_config;
mod cargo_messages;
mod cargo_output;
mod cargo_profile;
mod compile;
mod dep_info;
mod dependency_source;
mod environment;
mod exec;
mod generated_package;
mod input_checks;
mod manifest_block;
mod private_dir;
mod progress;
mod project_cache;

pub use compile::ensure_compiled;
pub use environment::ProcessEnvironment;
pub use exec::exec;
pub use progress::{BuildEvent, BuildProgress, stderr_progress};
