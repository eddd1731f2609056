//! Composes the scripts to upload, download and compare a file, from the files in `sh/`.

mod fragments;
mod plan;
mod protocol;
mod put;
mod read;
mod words;

pub(crate) use super::text::fragments::{FAIL, MAKE_PRIVATE, REMOVE, SWEEP};
pub(crate) use super::text::plan::{plan, plan_folder, plan_link};
pub(crate) use super::text::protocol::{
    ACL, BLOCKS, CONTENT, DONE, HARD_LINKS, MESSAGE_PREFIX, PART, SAME, SEND, SEND_PARTS, SUM_IS,
};
pub(crate) use super::text::put::{folder, link, part_receiver, put, remove};
pub(crate) use super::text::read::{directories, get, matches, stat};
pub(crate) use super::text::words::{belongs, owner_words, path_word, touch_time};
