//! File transfers: atomic, and only of files that differ.
//!
//! A transfer has one of two backends (`way`). Scripts (`script`) need a POSIX shell on the host. They take one command for a
//! file or a tree, compare checksums on the host and work under sudo. SFTP (`sftp`) is the backend for hosts without a shell.
//! SFTP takes more round trips, and reads files of equal size to compare them.

mod ambient;
mod backend;
mod backend_error;
mod backend_selector;
mod changes;
mod channel_buffer;
mod checksum;
mod content;
mod deferred;
mod diff;
mod disk_work;
mod edit;
mod entry;
mod file_error;
mod file_fingerprint;
mod get;
mod incoming_file;
mod job;
mod local_file;
mod local_path;
mod local_targets;
mod methods;
mod parts;
mod patterns;
mod planning;
mod progress_counter;
mod put;
mod read_once;
mod rsync;
mod script;
mod sftp;
mod shared;
mod source;
mod sync;
mod temp_name;
#[cfg(feature = "template")]
mod template;
mod template_vars;
mod temporary;
mod tilde;
mod transfer_context;
mod transfer_report;
mod tree;
mod tree_download;
mod tree_result;
mod validation;
mod walk;

pub use ambient::{get, put, sync};
pub use changes::Changes;
pub use edit::{
    AppendLines, CommentLines, CreateRequest, EditRequest, EnsureLine, IntoLines, ReadRequest, RemoveRequest,
    ReplaceMatches, StatRequest, TextEdit, UncommentLines,
};
pub use entry::{FileKind, Stat};
pub use get::GetRequest;
pub use put::PutRequest;
#[doc(hidden)]
pub use read_once::ReadOnce;
pub use rsync::RsyncRequest;
pub use source::Source;
pub use sync::SyncRequest;
#[cfg(feature = "template")]
pub use template::Template;
