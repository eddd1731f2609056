//! Commands on this machine (`@local`).

pub(super) mod local_transport;
mod piped_process;
mod process;
mod pty_process;

pub use local_transport::LocalTransport;
