//! OpenSSH server on loopback.

mod builder;
mod config;
mod launch;
mod program;
mod server;
mod sessions;

pub use builder::SshdBuilder;
pub use server::Sshd;
