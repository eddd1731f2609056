//! Where releases come from: which commit is chosen, and how it gets to the hosts.

pub(crate) mod changes;
pub(crate) mod commit_files;
pub(crate) mod git;
mod refs;
pub(crate) mod revision;
mod upload;

pub use changes::{Commit, CommitChanges};
pub use git::Git;
pub use revision::Revision;

pub(crate) use commit_files::CommitFile;
