//! The two backends of file transfers: shell scripts and SFTP.
//!
//! The shell backend (`script`) needs a POSIX shell on the host. A script is one command for a file
//! or a tree, compares checksums on the host, and works under sudo. The SFTP backend (`sftp`)
//! serves hosts without a shell. SFTP needs more round trips, and reads files of equal size to
//! compare them. `backend_selector` tries the shell backend first.

pub(crate) mod backend;
pub(crate) mod backend_selector;
mod script;
mod sftp;
