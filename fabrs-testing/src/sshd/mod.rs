//! A real OpenSSH server on loopback, for one test.

mod builder;
mod config;
mod launch;
mod program;
mod server;
mod sessions;

pub use builder::SshdBuilder;
pub use server::Sshd;
