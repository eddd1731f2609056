//! Helper processes of a demo. The program starts itself again with an internal first argument.
//!
//! ```text
//! the program ──► contain      creates the namespaces, waits for the user mapping
//!                   └─► init     process 1: builds the root, reaps orphans, ends with the program
//!                         └─► serve   the SSH server
//!                               └─► login   one command: switches to the user, then executes
//!                                     ├─► sudo    the replacement for `sudo`
//!                                     └─► sftp    the subsystem `sftp`
//! ```

mod contain;
mod dispatch;
mod init;
pub(crate) mod login;
pub(crate) mod process;
mod sudo;

pub use dispatch::run_helper;
