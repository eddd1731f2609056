//! Composes the scripts to upload, download and compare a file, from the files in `sh/`.

mod fragments;
mod plan;
mod protocol;
mod put;
mod read;
mod words;

pub(super) use fragments::{FAIL, MAKE_PRIVATE, REMOVE, SWEEP};
pub(super) use plan::{plan, plan_folder, plan_link};
pub(super) use protocol::{ACL, BLOCKS, CONTENT, DONE, MESSAGE_PREFIX, NAMES, PART, SAME, SEND, SEND_PARTS, SUM_IS};
pub(super) use put::{folder, help, link, put, remove};
pub(super) use read::{directories, get, matches, stat};
pub(super) use words::{belongs, owner_words, path_word, touch_time};
