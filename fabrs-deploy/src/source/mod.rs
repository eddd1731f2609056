//! The git repository of a site: resolves a revision, and delivers its commit to the hosts.

mod access;
pub(crate) mod changes;
pub(crate) mod commit_files;
pub(crate) mod git;
pub(crate) mod refs;
mod resolve;
pub(crate) mod revision;
mod upload;
pub(crate) mod work_tree;

pub use changes::{Commit, CommitChanges};
pub use git::Git;
pub use revision::Revision;

pub(crate) use commit_files::CommitFile;
pub(crate) use resolve::{ChosenRevision, DeployedCommits};
