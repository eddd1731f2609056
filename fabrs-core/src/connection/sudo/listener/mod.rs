//! The output filter of a command under sudo: answers the prompt, and removes the messages of sudo
//! from the output.

mod command_input;
mod sudo_listener;
#[cfg(test)]
mod tests;

pub(super) use command_input::CommandInput;
pub(super) use sudo_listener::SudoListener;
