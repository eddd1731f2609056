//! A real OpenSSH server on loopback, for one test.

mod builder;
mod config;
mod launch;
mod server;
mod sessions;

pub use builder::Builder;
pub(crate) use config::MARK;
pub use server::Sshd;
