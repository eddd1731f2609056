//! [`UploadWork`]: the jobs of a put, as one file or as one tree.

use std::sync::Arc;

use super::changes::ChangedPaths;
use super::tree;
use crate::error::Result;
use crate::file_backend::backend::Backend;
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transfer::file_error::has_no_directory;
use crate::transfer::job::{Job, Tree};
use crate::transfer::report::FileOutcome;

/// The jobs of an upload.
pub(super) enum UploadWork {
    /// One file. The target is the path of the file, or a directory for the file.
    File(Box<Job>),
    /// All entries below one directory.
    Tree(Arc<Tree>),
}

impl UploadWork {
    /// Uses `tree` for several jobs.
    pub(super) fn new(mut jobs: Vec<Job>, tree: impl FnOnce(Vec<Job>) -> Tree) -> Self {
        match (jobs.pop(), jobs.is_empty()) {
            (Some(only), true) if only.item.below.is_none() => Self::File(Box::new(only)),
            (last, _) => {
                jobs.extend(last);
                Self::Tree(Arc::new(tree(jobs)))
            }
        }
    }

    /// Compares the host, and returns the planned changes.
    pub(super) async fn plan_by(
        &self,
        context: &TransferContext,
        backend: Backend,
    ) -> Result<ChangedPaths, BackendError> {
        match self {
            Self::File(job) => match backend.plan(job).await {
                Err(BackendError::Failed(error)) if has_no_directory(&error) => {
                    if context.connection.planned() == 0 {
                        let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                        context.warn(&format!("{}: {why}, and no planned change creates it", job.operation(context)));
                    }
                    Ok(vec![(job.shown(), true)].into())
                }
                planned => Ok(vec![planned?].into()),
            },
            Self::Tree(tree) => tree::plan(tree, backend).await,
        }
    }

    /// Uploads the entries.
    pub(super) async fn put_by(&self, backend: Backend) -> Result<Vec<FileOutcome>, BackendError> {
        match self {
            Self::File(job) => Ok(vec![backend.put(job).await?]),
            Self::Tree(tree) => Ok(tree::put(tree, backend).await?.files),
        }
    }
}
