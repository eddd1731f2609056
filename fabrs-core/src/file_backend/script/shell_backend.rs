//! [`ShellBackend`]: the [`FileBackend`] of shell scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::FutureExt;

use super::get::{get, matches};
use super::plan::plan;
use super::put::{create_directories, put, remove};
use super::stat::stat;
use super::tree::{get_tree, itemize, plan_tree, put_tree};
use crate::file_backend::backend::{BackendFuture, FileBackend};
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Checksum;
use crate::transfer::context::TransferContext;
use crate::transfer::entry::{DirectoryEntry, PathStat};
use crate::transfer::incoming_file::IncomingFile;
use crate::transfer::job::{Job, Tree};
use crate::transfer::local_path::LocalPath;
use crate::transfer::report::FileOutcome;
use crate::transfer::tree_download::{DownloadMode, LocalPathOf};
use crate::transfer::tree_result::TreeResult;

/// The backend of hosts with a POSIX shell. Each operation is one command.
#[derive(Debug)]
pub(crate) struct ShellBackend(TransferContext);

impl ShellBackend {
    pub(crate) fn new(context: TransferContext) -> Self {
        Self(context)
    }
}

impl FileBackend for ShellBackend {
    fn matches<'a>(&'a self, pattern: &'a str, operation: &'a str) -> BackendFuture<'a, Vec<(PathBuf, bool)>> {
        matches(&self.0, pattern, operation).boxed()
    }

    /// Downloads all files that differ in one stream.
    fn get_directory<'a>(
        &'a self,
        directory: &'a Path,
        local_path_of: LocalPathOf<'a>,
        download_mode: DownloadMode,
        operation: &'a str,
    ) -> BackendFuture<'a, Vec<(DirectoryEntry, LocalPath)>> {
        get_tree(&self.0, directory, local_path_of, download_mode, operation).boxed()
    }

    fn get<'a>(
        &'a self,
        path: &'a Path,
        known: Option<&'a Checksum>,
        incoming_file: &'a IncomingFile,
        operation: &'a str,
    ) -> BackendFuture<'a, bool> {
        get(&self.0, path, known, incoming_file, operation).boxed()
    }

    fn is_new<'a>(
        &'a self,
        path: &'a Path,
        known: Option<&'a Checksum>,
        operation: &'a str,
    ) -> BackendFuture<'a, bool> {
        async move {
            let incoming_file = IncomingFile::in_memory(0);
            match get(&self.0, path, known, &incoming_file, operation).await {
                // The host sends the file only after a comparison.
                Err(BackendError::Failed(_)) if incoming_file.is_too_large() => Ok(true),
                result => result,
            }
        }
        .boxed()
    }

    fn stat<'a>(&'a self, path: &'a str, operation: &'a str) -> BackendFuture<'a, PathStat> {
        stat(&self.0, path, operation).boxed()
    }

    fn create_directories<'a>(&'a self, directories: &'a [String], operation: &'a str) -> BackendFuture<'a, ()> {
        create_directories(&self.0, directories, operation).boxed()
    }

    fn remove<'a>(&'a self, path: &'a str, is_recursive: bool, operation: &'a str) -> BackendFuture<'a, bool> {
        remove(&self.0, path, is_recursive, operation).boxed()
    }

    fn put<'a>(&'a self, job: &'a Job) -> BackendFuture<'a, FileOutcome> {
        put(&self.0, job).boxed()
    }

    fn plan<'a>(&'a self, job: &'a Job) -> BackendFuture<'a, FileOutcome> {
        plan(&self.0, job).boxed()
    }

    fn plan_tree<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, TreeResult> {
        plan_tree(&self.0, tree).boxed()
    }

    fn put_tree<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, TreeResult> {
        put_tree(&self.0, tree).boxed()
    }

    fn itemize<'a>(&'a self, tree: &'a Arc<Tree>) -> BackendFuture<'a, Vec<String>> {
        itemize(&self.0, tree).boxed()
    }
}
