//! Files by SFTP (draft-ietf-secsh-filexfer-02), for hosts that give no shell.
//!
//! One session carries all files of a transfer. What a script finds out on the host takes round trips here: so questions
//! are asked side by side, and reads and writes are on their way many at a time.

mod content;
mod fault;
mod get;
mod list;
mod look;
mod parts;
mod path;
mod plan;
mod put;
mod remove;
mod session;
mod stream;
mod sweep;
mod target;
mod temporary;

pub(super) use get::{get, is_new};
pub(super) use list::{entries, matches};
pub(super) use look::look;
pub(super) use plan::plan;
pub(super) use put::{folders, look_over, put};
pub(super) use remove::remove;
pub(super) use session::Session;
