//! [`FileBackend`]: the file operations of a host, implemented by shell scripts and by SFTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::error::Result;
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Checksum;
use crate::transfer::entry::{DirectoryEntry, PathStat};
use crate::transfer::incoming_file::IncomingFile;
use crate::transfer::job::{Job, Tree};
use crate::transfer::local_path::LocalPath;
use crate::transfer::report::FileOutcome;
use crate::transfer::tree_download::{DownloadMode, LocalPathOf};
use crate::transfer::tree_result::TreeResult;

/// A shared backend, for the concurrent operations of one transfer.
pub(crate) type Backend = Arc<dyn FileBackend>;

/// The future of a backend operation.
///
/// [`BackendError::NoShell`] selects the next backend. [`BackendError::Failed`] ends the transfer.
pub(crate) type BackendFuture<'a, T> = BoxFuture<'a, Result<T, BackendError>>;

/// The file operations of a host.
///
/// `operation` is the description for messages. Each write is atomic, and equal files are not
/// written. Dropping a future ends the operation and removes temporary files.
pub(crate) trait FileBackend: Send + Sync {
    /// Lists the matches of a pattern. The flag is true for a directory.
    fn matches<'a>(&'a self, pattern: &'a str, operation: &'a str) -> BackendFuture<'a, Vec<(PathBuf, bool)>>;

    /// Lists a directory, with the local path of each entry.
    ///
    /// A backend may download files during the listing, and sets [`DirectoryEntry::done`] for each
    /// of these files. Other files need a [`get`](Self::get).
    fn get_directory<'a>(
        &'a self,
        directory: &'a Path,
        local_path_of: LocalPathOf<'a>,
        download_mode: DownloadMode,
        operation: &'a str,
    ) -> BackendFuture<'a, Vec<(DirectoryEntry, LocalPath)>>;

    /// Downloads one file, unless the local checksum `known` is equal. Returns true if the file was
    /// received.
    fn get<'a>(
        &'a self,
        path: &'a Path,
        known: Option<&'a Checksum>,
        incoming_file: &'a IncomingFile,
        operation: &'a str,
    ) -> BackendFuture<'a, bool>;

    /// Returns true if a file of the host differs from the local checksum `known`. Writes nothing.
    fn is_new<'a>(&'a self, path: &'a Path, known: Option<&'a Checksum>, operation: &'a str)
    -> BackendFuture<'a, bool>;

    /// Returns the metadata of a path.
    fn stat<'a>(&'a self, path: &'a str, operation: &'a str) -> BackendFuture<'a, PathStat>;

    /// Creates directories, with their parents.
    fn create_directories<'a>(&'a self, directories: &'a [String], operation: &'a str) -> BackendFuture<'a, ()>;

    /// Removes a path. Returns true if the path existed.
    fn remove<'a>(&'a self, path: &'a str, is_recursive: bool, operation: &'a str) -> BackendFuture<'a, bool>;

    /// Uploads one entry. Returns its path, and true if the entry was written.
    fn put<'a>(&'a self, job: &'a Job) -> BackendFuture<'a, FileOutcome>;

    /// Compares one entry. Returns its path, and true if an upload would write the entry.
    fn plan<'a>(&'a self, job: &'a Job) -> BackendFuture<'a, FileOutcome>;

    /// Compares a tree. The result is `None` for each entry that needs a separate comparison.
    fn plan_tree<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, TreeResult>;

    /// Uploads a tree. The result is `None` for each entry that needs a separate upload.
    fn put_tree<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, TreeResult>;

    /// Lists the changes of a tree, with an itemized line for each entry.
    fn itemize<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, Vec<String>>;
}
