//! Commands as another user of the host, by sudo.
//!
//! [`Sudo`] says as whom, by which program, and composes the line; `listener` answers what that asks by its `prompt` and keeps
//! its words out of the output, and `dialog` is what came of it; `passwords` knows what to answer, and `source` where that comes from; `elevate` tries without a password first and then with one.

mod dialog;
pub(super) mod elevate;
pub(super) mod line;
mod listener;
mod passwords;
mod prompt;
mod refusal;
mod source;

pub use refusal::SudoRefusal;
