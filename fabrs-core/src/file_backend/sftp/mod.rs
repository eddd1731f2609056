//! The SFTP backend of file transfers (draft-ietf-secsh-filexfer-02), for hosts without a shell.
//!
//! A single session carries all files of a transfer. Only a large file uses further sessions
//! (`parts`). SFTP needs a round trip for each check that a script makes on the host. For this
//! reason the checks, reads and writes run concurrently.

mod content;
mod get;
mod list;
mod parts;
mod path;
mod plan;
mod put;
mod remove;
mod request_error;
mod session;
mod sftp_backend;
mod stale_files;
mod stat;
mod stream;
mod target;
mod temporary;

pub(crate) use super::sftp::sftp_backend::SftpBackend;
