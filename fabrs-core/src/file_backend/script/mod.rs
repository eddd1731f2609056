//! The script backend of file transfers, for hosts with a POSIX shell.
//!
//! Each file or directory tree is transferred by a single command. Only a large file uses further
//! commands (`parts`). The script compares first. An unchanged content is not transferred. The
//! backend works under sudo, on this machine and on remote hosts. Timeouts and stops apply as for
//! every command.

mod blocks;
mod dialog_error;
mod fetch;
mod get;
mod limits;
mod metadata_warnings;
mod parts;
mod plan;
mod put;
mod run_dialog;
mod script_dialog;
mod script_run;
mod shell_backend;
mod stat;
mod text;
mod tree;

pub(crate) use super::script::shell_backend::ShellBackend;
