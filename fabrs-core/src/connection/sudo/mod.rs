//! Commands as another user of the host, by sudo.
//!
//! [`Sudo`] says as whom and composes the line; `listener` answers what sudo asks and keeps its words out of the output, and `talk` is what came of it;
//! `passwords` knows what to answer, and `source` where that comes from; `elevate` tries without a password first and then with one.

mod elevate;
mod line;
mod listener;
mod passwords;
mod refusal;
mod source;
mod talk;

pub use refusal::SudoRefusal;

pub(super) use elevate::elevate;
pub(super) use line::Sudo;
