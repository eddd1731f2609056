//! [`Connection`] and [`Command`]: a host, and the commands for this host.
//!
//! A [`Connection`] is a value with the directory, environment and prefixes of commands. Methods
//! for settings return a new connection. A [`Command`] is a future and starts at the first poll.
//!
//! Tasks, groups and file transfers call this module. All commands start through a
//! [`Transport`](crate::transport::Transport).

mod ambient;
mod attempt;
mod builder;
mod command;
mod context;
mod context_methods;
mod execution;
mod finish;
mod handle;
mod hide;
mod input_values;
mod line_stream;
mod operations;
mod process_stdin;
mod prompt;
mod raw_terminal;
mod recorder;
mod retry;
mod retry_policy;
mod shell_probe;
mod spawn;
mod spawned;
mod spec;
mod stdin_plan;
mod sudo;
mod task_scope;
mod tee;
mod used_hosts;
mod watch;

pub use ambient::{cd, env, local, prefix, probe, run, sudo, v_run};
pub use builder::{mins, secs};
pub use command::Command;
pub(crate) use finish::format_seconds;
pub use handle::Connection;
pub use hide::{Hide, HideError};
pub use input_values::{EnvValue, StdinBytes};
pub use line_stream::LineStream;
pub use prompt::{Confirm, Prompt, confirm, prompt};
pub(crate) use shell_probe::{ShellProbe, result_of, with_marked_result};
pub use spawned::Spawned;
pub use sudo::SudoRefusal;
pub use task_scope::current;
pub(crate) use task_scope::{in_once_scope, task_state};
pub use watch::{Responder, Watcher};
