//! Commands on this machine, written `@local`.

pub(super) mod local_transport;
mod piped_process;
mod process;
mod pty_process;

pub use local_transport::Local;
