//! File transfers: atomic, and only of files that differ.
//!
//! A transfer has one of two backends (`way`). Scripts (`script`) need a POSIX shell on the host. They take one command for a
//! file or a tree, compare checksums on the host and work under sudo. SFTP (`sftp`) is the backend for hosts without a shell.
//! SFTP takes more round trips, and reads files of equal size to compare them.

mod ambient;
mod arrival;
mod backend;
mod backend_choice;
mod backend_error;
mod blob;
mod changes;
mod deferred;
mod difference;
mod disk_work;
mod edit;
mod entry;
mod file_error;
mod gauge;
mod get;
mod home;
mod incoming;
mod job;
mod known;
mod local_file;
mod local_path;
mod methods;
mod on_its_way;
mod parts;
mod patterns;
mod place;
mod places;
mod planning;
mod put;
mod read_once;
mod rsync;
mod script;
mod sftp;
mod shared;
mod source;
mod stamp;
mod sum;
mod sync;
#[cfg(feature = "template")]
mod template;
mod temporary;
mod transfer_report;
mod tree;
mod tree_download;
mod tree_result;
mod validation;
mod walk;

pub use ambient::{get, put, sync};
pub use changes::Changes;
pub use edit::{Append, Change, Comment, Edit, IntoLines, Line, Look, Make, Read, Remove, Replace, Uncomment};
pub use entry::{FileKind, Stat};
pub use get::Get;
pub use put::Put;
#[doc(hidden)]
pub use read_once::ReadOnce;
pub use rsync::Rsync;
pub use source::Source;
pub use sync::Sync;
#[cfg(feature = "template")]
pub use template::Template;
