//! Composes the scripts that upload, download and compare one file, from the files in `sh/`.

mod fragments;
mod plan;
mod protocol;
mod put;
mod read;
mod words;

pub(super) use fragments::{FAIL, REMOVE, SHUT, SWEEP};
pub(super) use plan::{plan, plan_folder, plan_link};
pub(super) use protocol::{ACL, BLOCKS, CONTENT, DONE, MESSAGE_PREFIX, NAMES, PART, SAME, SEND, SEND_PARTS, SUM_IS};
pub(super) use put::{folder, help, link, put, remove};
pub(super) use read::{folders, get, matches, stat};
pub(super) use words::{belongs, owner_words, path_word, touch_time};
