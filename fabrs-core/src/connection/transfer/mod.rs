//! Files to and from a host: whole or not at all, and only where they differ.
//!
//! A transfer goes one of two ways (`way`): by scripts (`script`), which need a POSIX shell, or by SFTP (`sftp`), where a
//! host gives no shell. The first is one command a file or a tree, compares checksums on the host and works under sudo; the
//! second takes its round trips, and reads a file of the same size to compare it.

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

use super::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::host::Host;

/// How many files of one transfer are on their way at once.
const AT_ONCE: usize = 4;
/// Ends what is said of a path that is a folder where a file is wanted.
const IS_A_FOLDER: &str = " is a folder";
/// Ends what is said of a path where a folder is wanted.
const IS_NO_FOLDER: &str = " is no folder";
/// Ends what is said of a path where a symlink is wanted.
const IS_NO_LINK: &str = " is no symlink";
/// Ends what is said of a file that somebody else has changed.
const CHANGED_MEANWHILE: &str = " was changed meanwhile";
/// Ends what is said of a pipe, a socket or a device.
const NO_REGULAR: &str = " is no file that can be sent";
/// Begins what is said of a path where nothing is.
const NO_FILE: &str = "there is no file ";
/// Begins what is said where the folder of a file is not there.
const NO_FOLDER: &str = "there is no folder ";

/// The path of a file, with whether it was written.
type Written = (String, bool);

/// Tells how many files were written, and how many removed.
fn tell(connection: &Connection, host: &Host, what: &str, files: &[Written], removed: usize) {
    let changed = files.iter().filter(|(_, changed)| *changed).count();
    connection.sink().event(&Event::Transferred { host, what, changed, files: files.len(), removed });
}

/// Runs what waits for a disk on a thread where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::new(ErrorKind::Internal, "reading a file panicked").caused_by(source)),
    }
}

/// Does the same, and lets the work know when nobody waits for it any more.
async fn blocking_while<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn() -> bool) -> Result<T> + Send + 'static,
) -> Result<T> {
    let wanted = Arc::new(());
    let known = Arc::downgrade(&wanted);
    let result = blocking(move || work(&|| known.strong_count() > 0)).await;
    drop(wanted);
    result
}

/// Tells whether an error is that of a file that is a folder.
fn is_a_folder(error: &Error) -> bool {
    said(error).is_some_and(|said| said.ends_with(IS_A_FOLDER))
}

/// Tells whether an error is that of a file that is not there.
fn is_missing(error: &Error) -> bool {
    said(error).is_some_and(|said| said.starts_with(NO_FILE))
}

/// Tells whether an error is that of a file whose folder is not there.
fn has_no_folder(error: &Error) -> bool {
    said(error).is_some_and(|said| said.starts_with(NO_FOLDER))
}

fn said(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

/// What a host said about a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);
