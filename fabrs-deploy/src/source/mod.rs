//! Where releases come from: which commit is chosen, and how it gets to the hosts.

mod carried;
mod changes;
mod files;
mod git;
mod refs;
mod revision;

pub use changes::{Changes, Commit};
pub use git::Git;
pub use revision::Revision;

pub(crate) use files::SourceFile;
