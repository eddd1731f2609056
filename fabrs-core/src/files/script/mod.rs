//! The script back end of transfers: one command for a file or a tree, on hosts with a POSIX shell.
//!
//! A script compares first, and transfers the content only if it differs. It works under sudo, on this machine and on hosts. It
//! ends as every command does.

mod blocks;
mod dialog_error;
mod fetch;
mod get;
mod limits;
mod look;
mod losses;
mod parts;
mod plan;
mod put;
mod run_dialog;
mod script_run;
mod talk;
mod text;
mod tree;

pub(super) use get::{get, matches};
pub(super) use look::look;
pub(super) use plan::plan;
pub(super) use put::{folders, put, remove};
pub(super) use tree::{get_tree, itemize, plan_tree, put_tree};
