//! File transfers and edits: atomic, and limited to files that differ.
//!
//! A transfer uses one of two backends (`backend`). The shell backend (`script`) needs a POSIX
//! shell on the host. A script is one command for a file or a tree, compares checksums on the host,
//! and works under sudo. The SFTP backend (`sftp`) serves hosts without a shell. SFTP needs more
//! round trips, and reads files of equal size to compare them.

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
