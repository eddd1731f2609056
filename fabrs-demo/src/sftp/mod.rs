//! The subsystem `sftp`.

mod attributes;
mod handler;
mod handles;
pub(crate) mod server;
