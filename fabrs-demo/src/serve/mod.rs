//! SSH server of a host.

mod command;
mod connection;
mod context;
pub(crate) mod keys;
mod pty;
pub(crate) mod server;
mod session;
mod signals;
