//! The upload of a tree by one script: the script lists the host's files, and receives the changed ones as one tar stream.
//!
//! Some entries are uploaded one by one: large files, secrets, unreadable names, and paths through a symlink or on another file
//! system.

mod get;
mod items;
mod lines;
mod listing;
mod moves;
mod pack;
mod plan;
mod sync;
mod text;
mod upload;

pub(in crate::files) use get::get_tree;
pub(super) use listing::{Status, status};
pub(in crate::files) use upload::{itemize, plan_tree, put_tree};
