//! Shared parts of file transfers: sources, contents, jobs, local files and progress.
//!
//! The backends (`file_backend`) and the requests (`files`) build on this module.

pub(crate) mod backend_error;
pub(crate) mod channel_buffer;
pub(crate) mod checksum;
pub(crate) mod content;
pub(crate) mod context;
pub(crate) mod disk_work;
pub(crate) mod entry;
pub(crate) mod file_error;
pub(crate) mod file_fingerprint;
pub(crate) mod incoming_file;
pub(crate) mod job;
pub(crate) mod local_file;
pub(crate) mod local_path;
pub(crate) mod parts;
pub(crate) mod patterns;
pub(crate) mod progress_counter;
pub(crate) mod read_once;
pub(crate) mod report;
pub(crate) mod shared;
pub(crate) mod source;
pub(crate) mod temp_name;
#[cfg(feature = "template")]
pub(crate) mod template;
pub(crate) mod template_vars;
pub(crate) mod temporary;
pub(crate) mod tilde;
pub(crate) mod tree_download;
pub(crate) mod tree_result;
pub(crate) mod validation;
pub(crate) mod walk;
