//! Configuration of a run: `fabrs.toml`, environment variables, and the hosts of the command line.
//!
//! The command line and a client call this module. It imports [`crate::host`], [`crate::error`],
//! `blocking` and `mutex`. Files and environment variables are read here, so that the higher layers
//! work on plain values.

mod did_you_mean;
mod document;
mod environment;
#[cfg(test)]
mod environment_tests;
mod fabrs_toml;
mod freeze;
mod gateway;
mod host_arguments;
mod host_overrides;
mod inventory;
mod layered;
mod operator;
mod process_env;
mod process_group;
mod regular_file;
mod selection;
mod settings;
mod sudo_program;
mod vagrant;
mod vars;

pub use did_you_mean::did_you_mean;
pub use environment::Environment;
pub use fabrs_toml::Config;
pub use freeze::{FreezeWindow, FreezeWindowError};
pub use gateway::Gateway;
pub use host_arguments::{ResolveAlias, parse_excluded_hosts, parse_host_args, parse_host_args_with};
pub use inventory::Inventory;
pub use layered::Layered;
pub use operator::Operator;
pub use process_env::ProcessEnv;
pub(crate) use process_group::{ProcessGroup, ProcessGroupGuard};
pub use regular_file::{check_regular, read_text};
pub use selection::Selection;
pub use settings::{
    Confirmation, DiffMode, Mode, OnFailure, OnUnreachable, Order, PasswordSource, PromptPolicy, Settings,
    SshConfigSource,
};
pub use sudo_program::SudoProgram;
pub use vars::Vars;
