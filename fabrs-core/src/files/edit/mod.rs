//! Files that are looked at, read and edited where they are.
//!
//! An edit reads the file, has [`text`] say what becomes of it, and puts that as every file is put: whole or not at all,
//! and not where it is there already. Between the two nobody else may have changed it.

mod create;
mod kinds;
mod read;
mod remove;
mod request;
mod stat;
mod text;

pub use create::CreateRequest;
pub use kinds::{AppendLines, CommentLines, EnsureLine, IntoLines, ReplaceMatches, TextEdit, UncommentLines};
pub use read::ReadRequest;
pub use remove::RemoveRequest;
pub use request::EditRequest;
pub use stat::StatRequest;
