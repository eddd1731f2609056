//! Commands as another user of the host, under sudo or doas.
//!
//! - [`line`] composes the command line from the sudo options.
//! - [`elevate`] runs a command: first without a password, then with one if sudo requires it.
//! - `listener` recognises the `prompt`, answers it, and removes sudo's messages from the output.
//!   `dialog` is its state.
//! - `passwords` selects the password to try, and `source` reads it from a variable, a file or a
//!   command.
//! - `refusal` classifies the messages of sudo.

mod dialog;
pub(super) mod elevate;
pub(super) mod line;
mod listener;
mod passwords;
mod prompt;
mod refusal;
mod source;

pub use refusal::SudoRefusal;
