//! Commands as another user of the host, under sudo or doas.
//!
//! - [`line`] composes the command line from the sudo options.
//! - [`elevate`] runs a command: first without a password, then, if required, with a password.
//! - `listener` answers the prompt found by `password_prompt`, and removes sudo's messages from the
//!   output. `dialog` is the state of the listener.
//! - `passwords` selects the password to try. `password_source` reads passwords from a variable, a
//!   file or a command.
//! - `refusal` classifies the messages of sudo.

mod dialog;
pub(super) mod elevate;
pub(super) mod line;
mod listener;
mod password_prompt;
mod password_source;
mod passwords;
mod refusal;

pub use refusal::SudoRefusal;
