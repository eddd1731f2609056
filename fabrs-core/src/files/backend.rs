//! [`Backend`]: reads and writes files of a host by shell scripts or by SFTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checksum::Checksum;
use super::entry::{Entry, PathStat};
use super::incoming_file::IncomingFile;
use super::job::{Job, Tree, TreeMode};
use super::local_path::LocalPath;
use super::script;
use super::sftp::{self, SftpSession};
use super::transfer_context::TransferContext;
use super::transfer_report::FileOutcome;
use super::tree_download::{DownloadMode, LocalPathOf};
use crate::error::{CauseText, Result};
use crate::files::backend_error::BackendError;
use crate::files::tree_result::TreeResult;

/// The backend of a transfer.
#[derive(Debug)]
pub(super) enum Backend {
    Script,
    Sftp(Arc<SftpSession>),
}

impl Backend {
    /// Lists the matches of a pattern. The flag is true for a directory.
    pub(super) async fn matches(
        &self,
        context: &TransferContext,
        pattern: &str,
        operation: &str,
    ) -> Result<Vec<(PathBuf, bool)>, BackendError> {
        match self {
            Self::Script => script::matches(context, pattern, operation).await,
            Self::Sftp(session) => Ok(sftp::matches(session, pattern, operation).await?),
        }
    }

    /// Lists a directory, with the local path of each entry. The shell backend also downloads the
    /// files, in one stream. Other files need a [`get`](Self::get).
    pub(super) async fn get_folder(
        &self,
        context: &TransferContext,
        folder: &Path,
        local_path_of: LocalPathOf<'_>,
        download_mode: DownloadMode,
        operation: &str,
    ) -> Result<Vec<(Entry, LocalPath)>, BackendError> {
        match self {
            Self::Script => script::get_tree(context, folder, local_path_of, download_mode, operation).await,
            Self::Sftp(session) => {
                let entries = sftp::entries(session, folder, operation).await?;
                let placed = entries.into_iter().map(|entry| Ok(local_path_of(&entry)?.map(|to| (entry, to))));
                Ok(placed.filter_map(Result::transpose).collect::<Result<_>>()?)
            }
        }
    }

    /// Downloads one file, unless the local checksum `known` is equal. Returns true if the file was
    /// received.
    pub(super) async fn get(
        &self,
        context: &TransferContext,
        path: &Path,
        known: Option<&Checksum>,
        incoming_file: &IncomingFile,
        operation: &str,
    ) -> Result<bool, BackendError> {
        match self {
            Self::Script => script::get(context, path, known, incoming_file, operation).await,
            Self::Sftp(session) => Ok(sftp::get(session, path, known, incoming_file, operation).await?),
        }
    }

    /// Returns true if a file of the host differs from the local checksum `known`. Writes nothing.
    pub(super) async fn is_new(
        &self,
        context: &TransferContext,
        path: &Path,
        known: Option<&Checksum>,
        operation: &str,
    ) -> Result<bool, BackendError> {
        match self {
            Self::Script => {
                let incoming_file = IncomingFile::in_memory(0);
                match script::get(context, path, known, &incoming_file, operation).await {
                    // The host sends the file only after a comparison.
                    Err(BackendError::Failed(_)) if incoming_file.is_too_large() => Ok(true),
                    result => result,
                }
            }
            Self::Sftp(session) => Ok(sftp::is_new(session, path, known, operation).await?),
        }
    }

    /// Returns the metadata of a path.
    pub(super) async fn look(
        &self,
        context: &TransferContext,
        path: &str,
        operation: &str,
    ) -> Result<PathStat, BackendError> {
        match self {
            Self::Script => script::stat(context, path, operation).await,
            Self::Sftp(session) => Ok(sftp::stat(session, path, operation).await?),
        }
    }

    /// Creates directories, with their parents.
    pub(super) async fn make_folders(
        &self,
        context: &TransferContext,
        folders: &[String],
        operation: &str,
    ) -> Result<(), BackendError> {
        match self {
            Self::Script => script::folders(context, folders, operation).await,
            Self::Sftp(session) => Ok(sftp::folders(session, folders, operation).await?),
        }
    }

    /// Removes a path. Returns true if the path existed.
    pub(super) async fn remove(
        &self,
        context: &TransferContext,
        path: &str,
        is_recursive: bool,
        operation: &str,
    ) -> Result<bool, BackendError> {
        match self {
            Self::Script => script::remove(context, path, is_recursive, operation).await,
            Self::Sftp(session) => Ok(sftp::remove(session, path, is_recursive, operation).await?),
        }
    }

    /// Uploads one entry. Returns its path, and true if the entry was written.
    pub(super) async fn put(&self, context: &TransferContext, job: &Job) -> Result<FileOutcome, BackendError> {
        match self {
            Self::Script => script::put(context, job).await,
            Self::Sftp(session) => Ok(sftp::put(session, job).await?),
        }
    }

    /// Compares one entry. Returns its path, and true if an upload would write the entry.
    pub(super) async fn plan(&self, context: &TransferContext, job: &Job) -> Result<FileOutcome, BackendError> {
        match self {
            Self::Script => script::plan(context, job).await,
            Self::Sftp(session) => Ok(sftp::plan(session, job).await?),
        }
    }

    /// Compares a tree. The result is `None` for each entry that needs a comparison of its own.
    pub(super) async fn plan_tree(
        &self,
        context: &TransferContext,
        tree: &Arc<Tree>,
    ) -> Result<TreeResult, BackendError> {
        match self {
            Self::Script => script::plan_tree(context, tree).await,
            Self::Sftp(_) if matches!(tree.mode, TreeMode::Sync(_)) => Err(needs_a_shell(context, tree)),
            Self::Sftp(_) => Ok(TreeResult::nothing(tree)),
        }
    }

    /// Uploads a tree. The result is `None` for each entry that needs an upload of its own.
    pub(super) async fn put_tree(
        &self,
        context: &TransferContext,
        tree: &Arc<Tree>,
    ) -> Result<TreeResult, BackendError> {
        match self {
            Self::Script => script::put_tree(context, tree).await,
            Self::Sftp(_) if matches!(tree.mode, TreeMode::Sync(_)) => Err(needs_a_shell(context, tree)),
            Self::Sftp(session) => {
                sftp::check_targets(session, tree).await?;
                sftp::folders(session, std::slice::from_ref(&tree.root), &tree.operation).await?;
                Ok(TreeResult::nothing(tree))
            }
        }
    }

    /// Lists the changes of a tree, with one itemized line for each entry.
    pub(super) async fn itemize(
        &self,
        context: &TransferContext,
        tree: &Arc<Tree>,
    ) -> Result<Vec<String>, BackendError> {
        match self {
            Self::Script => script::itemize(context, tree).await,
            Self::Sftp(_) => Err(needs_a_shell(context, tree)),
        }
    }
}

/// Creates the error of a `sync` with a host without a shell.
fn needs_a_shell(context: &TransferContext, tree: &Tree) -> BackendError {
    let why = CauseText("sync needs a POSIX shell on the host".to_owned());
    context.could_not(&tree.operation).caused_by(why).into()
}
