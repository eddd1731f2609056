//! Commands as another user of the host, by sudo.
//!
//! [`Sudo`] says as whom and composes the line; `talk` answers what sudo asks and keeps its words out of the output;
//! `passwords` knows what to answer, and `source` where that comes from; `elevate` tries without a password first and then with one.

mod elevate;
mod line;
mod passwords;
mod refusal;
mod source;
mod talk;

pub use refusal::SudoRefusal;

pub(super) use elevate::elevate;
pub(super) use line::Sudo;
