//! Uploads and downloads a tree with a single script and a single tar stream.
//!
//! The script lists the host's files, and transfers only the changed files. Some entries are
//! transferred separately: large files, secrets, ambiguous names, and paths through a symlink or on
//! another file system.

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

pub(crate) use super::tree::get::get_tree;
pub(crate) use super::tree::listing::{RemoteMetadata, status};
pub(crate) use super::tree::upload::{itemize, plan_tree, put_tree};
