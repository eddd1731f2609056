//! SFTP subsystem of a host.

mod attributes;
mod handler;
mod handles;
pub(crate) mod server;
