//! The parts that this very program plays in a demo: it is started again with a first argument that nobody types.
//!
//! ```text
//! the program ──► contain      takes namespaces, and waits for the users to be mapped into them
//!                   └─► init     process 1 inside: makes the root, reaps orphans, ends when the program is gone
//!                         └─► serve   the SSH server
//!                               └─► login   one command: becomes the user, then that command
//!                                     ├─► sudo    what `sudo` is inside
//!                                     └─► sftp    what the subsystem `sftp` is
//! ```

mod contain;
mod dispatch;
mod init;
pub(crate) mod login;
pub(crate) mod process;
mod sudo;

pub use dispatch::run_helper;
