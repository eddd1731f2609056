//! Arguments as they were typed: exactly that, before anything is looked up or resolved.

mod globals;
mod split;
mod task_args;

pub(crate) use globals::{Globals, command};
pub(crate) use split::Typed;
#[cfg(feature = "launcher")]
pub(crate) use split::unknown as unknown_word;
pub(crate) use task_args::task_command;
