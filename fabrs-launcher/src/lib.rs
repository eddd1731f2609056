//! The launcher of `fab`: compiles a project's `tasks.rs`, caches the compiled tool, and replaces
//! the process of `fab` with the tool.
//!
//! `fab` finds the project and checks the owners of its files with the crate `fabrs-project`. Then
//! `fab` calls [`ensure_compiled`] and [`exec`]. The launcher has no knowledge of tasks or hosts.
//!
//! # An unchanged project
//!
//! If no input has changed since the last run, [`ensure_compiled`] starts no process. It reads the
//! build record, calls `stat` for each input, and checks the project's own files. The owners of all
//! other sources were checked before the build record was written. These checks are repeated only
//! if `FABRS_TRUST` or `SUDO_UID` has changed.
//!
//! # The cache
//!
//! ```text
//! <cache>/fabrs/target/                 the target folder of cargo, shared by all projects
//! <cache>/fabrs/projects/<hash>/        the files of one project, named by a hash of its path
//!     Cargo.toml  Cargo.lock  src/main.rs   the generated package, with tasks.rs as its library
//!     config.toml                           the cargo settings copied from the project
//!     bin/tasks-<hash>                      the tool, copied from the target folder
//!     build-record                          the inputs of the tool
//!     cargo-lock-digest                     the digest of the Cargo.lock copied from fabrs
//!     lock                                  held while `fab` compiles
//! ```
//!
//! Dependencies compile once for all projects, because the projects share one target folder. The
//! package and the binary have the hash in their names. Cargo distinguishes the packages in a
//! target folder by name, so two projects with equal names would receive each other's tool.

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
