//! File transfers and edits: atomic, and limited to files that differ.
//!
//! A transfer uses one of two backends (`file_backend`). The shell backend needs a POSIX shell on
//! the host. A script is one command for a file or a tree, compares checksums on the host, and
//! works under sudo. The SFTP backend serves hosts without a shell. SFTP needs more round trips,
//! and reads files of equal size to compare them.

mod ambient;
mod changes;
mod deferred;
mod diff;
mod edit;
mod get;
mod local_targets;
mod methods;
mod planning;
mod put;
mod rsync;
mod sync;
mod tree;
mod upload_work;

pub use crate::transfer::entry::{FileKind, Stat};
#[doc(hidden)]
pub use crate::transfer::read_once::ReadOnce;
pub use crate::transfer::source::Source;
#[cfg(feature = "template")]
pub use crate::transfer::template::Template;
pub use ambient::{get, put, sync};
pub use changes::Changes;
pub use edit::{
    AppendLines, CommentLines, CreateRequest, EditRequest, EnsureLine, IntoLines, ReadRequest, RemoveRequest,
    ReplaceMatches, StatRequest, TextEdit, UncommentLines,
};
pub use get::GetRequest;
pub use put::PutRequest;
pub use rsync::RsyncRequest;
pub use sync::SyncRequest;
