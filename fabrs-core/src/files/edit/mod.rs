//! Requests for single paths of a host: metadata, read, edit, create and remove.
//!
//! An edit reads the file, computes the new content ([`text`]), and uploads the content as `put`
//! does: atomically, and only if the content differs. If the file has changed between the read and
//! the write, the edit is an error.

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
