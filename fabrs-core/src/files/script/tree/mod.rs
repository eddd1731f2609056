//! Uploads and downloads a tree with a single script and a single tar stream.
//!
//! The script lists the host's files, and transfers only the changed files. Some entries are
//! transferred one by one: large files, secrets, ambiguous names, and paths through a
//! symlink or on another file system.

mod action;
mod get;
mod itemize;
mod listing;
mod rename_plan;
mod script_lines;
mod script_text;
mod sync;
mod tar_stream;
mod upload;

pub(super) use get::get_tree;
pub(super) use listing::{RemoteMetadata, status};
pub(super) use upload::{itemize, plan_tree, put_tree};
