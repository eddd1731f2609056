//! [`SftpBackend`]: the [`FileBackend`] of SFTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::FutureExt;

use super::get::{get, is_new};
use super::list::{entries, matches};
use super::plan::plan;
use super::put::{check_targets, create_directories, put};
use super::remove::remove;
use super::session::SftpSession;
use super::stat::stat;
use crate::error::{CauseText, Result};
use crate::file_backend::backend::{BackendFuture, FileBackend};
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Checksum;
use crate::transfer::context::TransferContext;
use crate::transfer::entry::{DirectoryEntry, PathStat};
use crate::transfer::incoming_file::IncomingFile;
use crate::transfer::job::{Job, Tree, TreeMode};
use crate::transfer::local_path::LocalPath;
use crate::transfer::report::FileOutcome;
use crate::transfer::tree_download::{DownloadMode, LocalPathOf};
use crate::transfer::tree_result::TreeResult;
use crate::transport::Effect;

/// The backend of hosts without a shell, over one SFTP session.
#[derive(Debug)]
pub(crate) struct SftpBackend(Arc<SftpSession>);

impl SftpBackend {
    /// Opens an SFTP session on the connection of `context`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`](crate::ErrorKind::File) if the server rejects SFTP.
    pub(crate) async fn open(context: &TransferContext, effect: Effect, operation: &str) -> Result<Self> {
        Ok(Self(SftpSession::open(context, effect, operation).await?))
    }
}

impl FileBackend for SftpBackend {
    fn matches<'a>(&'a self, pattern: &'a str, operation: &'a str) -> BackendFuture<'a, Vec<(PathBuf, bool)>> {
        async move { Ok(matches(&self.0, pattern, operation).await?) }.boxed()
    }

    /// Lists the directory only. Each file needs a separate download.
    fn get_directory<'a>(
        &'a self,
        directory: &'a Path,
        local_path_of: LocalPathOf<'a>,
        _download_mode: DownloadMode,
        operation: &'a str,
    ) -> BackendFuture<'a, Vec<(DirectoryEntry, LocalPath)>> {
        async move {
            let entries = entries(&self.0, directory, operation).await?;
            let placed = entries.into_iter().map(|entry| Ok(local_path_of(&entry)?.map(|to| (entry, to))));
            Ok(placed.filter_map(Result::transpose).collect::<Result<_>>()?)
        }
        .boxed()
    }

    fn get<'a>(
        &'a self,
        path: &'a Path,
        known: Option<&'a Checksum>,
        incoming_file: &'a IncomingFile,
        operation: &'a str,
    ) -> BackendFuture<'a, bool> {
        async move { Ok(get(&self.0, path, known, incoming_file, operation).await?) }.boxed()
    }

    fn is_new<'a>(
        &'a self,
        path: &'a Path,
        known: Option<&'a Checksum>,
        operation: &'a str,
    ) -> BackendFuture<'a, bool> {
        async move { Ok(is_new(&self.0, path, known, operation).await?) }.boxed()
    }

    fn stat<'a>(&'a self, path: &'a str, operation: &'a str) -> BackendFuture<'a, PathStat> {
        async move { Ok(stat(&self.0, path, operation).await?) }.boxed()
    }

    fn create_directories<'a>(&'a self, directories: &'a [String], operation: &'a str) -> BackendFuture<'a, ()> {
        async move { Ok(create_directories(&self.0, directories, operation).await?) }.boxed()
    }

    fn remove<'a>(&'a self, path: &'a str, is_recursive: bool, operation: &'a str) -> BackendFuture<'a, bool> {
        async move { Ok(remove(&self.0, path, is_recursive, operation).await?) }.boxed()
    }

    fn put<'a>(&'a self, job: &'a Job) -> BackendFuture<'a, FileOutcome> {
        async move { Ok(put(&self.0, job).await?) }.boxed()
    }

    fn plan<'a>(&'a self, job: &'a Job) -> BackendFuture<'a, FileOutcome> {
        async move { Ok(plan(&self.0, job).await?) }.boxed()
    }

    /// Compares no entry: each entry needs a separate comparison.
    fn plan_tree<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, TreeResult> {
        async move {
            if matches!(tree.mode, TreeMode::Sync(_)) {
                return Err(needs_a_shell(&self.0, tree));
            }
            Ok(TreeResult::nothing(tree))
        }
        .boxed()
    }

    /// Checks all targets and creates the root. Each entry needs a separate upload.
    fn put_tree<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, TreeResult> {
        async move {
            if matches!(tree.mode, TreeMode::Sync(_)) {
                return Err(needs_a_shell(&self.0, tree));
            }
            check_targets(&self.0, tree).await?;
            create_directories(&self.0, std::slice::from_ref(&tree.root), &tree.operation).await?;
            Ok(TreeResult::nothing(tree))
        }
        .boxed()
    }

    fn itemize<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, Vec<String>> {
        async move { Err(needs_a_shell(&self.0, tree)) }.boxed()
    }
}

/// Creates the error of a `sync` with a host without a shell.
fn needs_a_shell(session: &SftpSession, tree: &Tree) -> BackendError {
    let why = CauseText("sync needs a POSIX shell on the host".to_owned());
    session.context.could_not(&tree.operation).caused_by(why).into()
}
