//! The context of a command line: directory, environment, prefixes and the other wrappers, in a
//! fixed order.

mod command_context;
mod rendering;
mod shell_text;

pub(super) use command_context::CommandContext;
pub(super) use rendering::{Activation, ContextError, Language, Rendering};
pub(super) use shell_text::{NO_VENV, detached};
