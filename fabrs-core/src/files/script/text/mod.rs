//! The scripts that upload, download and compare one file on a host.

mod plan;
mod put;
pub(super) mod shell_text;

pub(super) use plan::{plan, plan_folder, plan_link};
pub(super) use put::{folder, help, link, put, remove};
pub(super) use shell_text::*;
