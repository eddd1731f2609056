//! One host to run commands on, and the commands.
//!
//! A [`Connection`] is a value: it carries the directory, environment and prefixes of its commands, and every change
//! makes another. A [`Command`] is what it makes, a future that starts when first polled.

mod again;
mod ambient;
mod around;
mod builder;
mod command;
mod finish;
mod frame;
mod given;
mod greeting;
mod handle;
mod hide;
mod inherited;
mod input;
mod line_stream;
mod operations;
mod prompt;
mod recorder;
mod seat;
mod spawned;
mod spec;
mod sudo;
mod task_scope;
mod tee;
mod used_hosts;
mod watch;

pub use ambient::{cd, env, local, prefix, probe, run, sudo, v_run};
pub use builder::secs;
pub use command::Command;
pub(crate) use command::bound;
pub(crate) use finish::seconds;
pub use given::{EnvValue, StdinBytes};
pub(crate) use greeting::{Greeting, result_of, with_marked_result};
pub use handle::Connection;
pub use hide::{Hide, HideError};
pub use line_stream::LineStream;
pub use prompt::{Confirm, Prompt, confirm, prompt};
pub use spawned::Spawned;
pub use sudo::SudoRefusal;
pub use task_scope::current;
pub(crate) use task_scope::{for_all, task_state};
pub use watch::{Responder, Watch};
