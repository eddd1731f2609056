//! Parsed command line arguments, before hosts and settings are resolved.

mod command_line;
mod options;
mod task_arguments;
mod usage_error;

#[cfg(feature = "launcher")]
pub(crate) use command_line::unknown_task_error;
pub(crate) use command_line::{CommandLine, process_arguments};
pub(crate) use options::{GlobalOptions, global_command};
pub(crate) use task_arguments::task_command;
