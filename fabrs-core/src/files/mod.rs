//! File transfers: atomic, and only of files that differ.
//!
//! A transfer has one of two backends (`way`). Scripts (`script`) need a POSIX shell on the host. They take one command for a
//! file or a tree, compare checksums on the host and work under sudo. SFTP (`sftp`) is the backend for hosts without a shell.
//! SFTP takes more round trips, and reads files of equal size to compare them.

mod ambient;
mod arrival;
mod blob;
mod by;
mod changes;
mod difference;
mod edit;
mod entry;
mod gauge;
mod get;
mod home;
mod incoming;
mod job;
mod known;
mod lazy;
mod local_file;
mod local_path;
mod methods;
mod on_its_way;
mod parts;
mod patterns;
mod place;
mod places;
mod planning;
mod put;
mod read_once;
mod rsync;
mod script;
mod sftp;
mod shared;
mod source;
mod stamp;
mod sum;
mod sync;
#[cfg(feature = "template")]
mod template;
mod temporary;
mod tree;
mod validation;
mod walk;
mod way;

pub use ambient::{get, put, sync};
pub use changes::Changes;
pub use edit::{Append, Change, Comment, Edit, IntoLines, Line, Look, Make, Read, Remove, Replace, Uncomment};
pub use entry::{FileKind, Stat};
pub use get::Get;
pub use put::Put;
#[doc(hidden)]
pub use read_once::ReadOnce;
pub use rsync::Rsync;
pub use source::Source;
pub use sync::Sync;
#[cfg(feature = "template")]
pub use template::Template;

use std::sync::Arc;

use crate::blocking::on_own_thread;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;

/// The number of files that one transfer sends at a time.
const AT_ONCE: usize = 4;
/// Suffix of the error: a directory in the place of a file.
const IS_A_FOLDER: &str = " is a folder";
/// Suffix of the error: another file in the place of a directory.
const IS_NO_FOLDER: &str = " is no folder";
/// Suffix of the error: another file in the place of a symlink.
const IS_NO_LINK: &str = " is no symlink";
/// Suffix of the error: the file changed during the transfer.
const CHANGED_MEANWHILE: &str = " was changed meanwhile";
/// Suffix of the error: a pipe, a socket or a device.
const NO_REGULAR: &str = " is no file that can be sent";
/// Prefix of the error: no file at the path.
const NO_FILE: &str = "there is no file ";
/// Prefix of the error: no directory for the file.
const NO_FOLDER: &str = "there is no folder ";

/// The path of a file, with whether it was written.
type Written = (String, bool);

/// Emits the number of files written and removed.
fn tell(connection: &Connection, host: &Host, what: &str, files: &[Written], removed: usize) {
    let changed = files.iter().filter(|(_, changed)| *changed).count();
    connection.sink().event(&Event::Transferred { host, what, changed, files: files.len(), removed });
}

/// Runs blocking disk work on a thread for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::new(ErrorKind::Internal, "reading a file panicked").caused_by(source)),
    }
}

/// Runs work that reads files and waits for the network, on a thread of its own.
async fn sending<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let failed = |source| Error::new(ErrorKind::Local, "could not run a thread for a transfer").caused_by(source);
    on_own_thread("fabrs-transfer", work).await.map_err(failed)?
}

/// Runs blocking disk work. The work can check whether its result is still awaited.
async fn blocking_while<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn() -> bool) -> Result<T> + Send + 'static,
) -> Result<T> {
    let wanted = Arc::new(());
    let known = Arc::downgrade(&wanted);
    let result = blocking(move || work(&|| known.strong_count() > 0)).await;
    drop(wanted);
    result
}

/// Returns whether the error is [`IS_A_FOLDER`].
fn is_a_folder(error: &Error) -> bool {
    said(error).is_some_and(|said| said.ends_with(IS_A_FOLDER))
}

/// Returns whether the error is [`NO_FILE`].
fn is_missing(error: &Error) -> bool {
    said(error).is_some_and(|said| said.starts_with(NO_FILE))
}

/// Returns whether the error is [`NO_FOLDER`].
fn has_no_folder(error: &Error) -> bool {
    said(error).is_some_and(|said| said.starts_with(NO_FOLDER))
}

fn said(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

/// The message of a host about a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);
