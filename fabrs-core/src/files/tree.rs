//! Uploads of trees: the backend uploads most entries at once, and other entries follow separately.

use std::sync::Arc;

use futures::future::FutureExt;
use futures::stream::{StreamExt, TryStreamExt};

use super::changes::ChangedPaths;
use crate::connection::Connection;
use crate::file_backend::backend::{Backend, FileBackend};
use crate::state::RunState;
use crate::transfer::backend_error::BackendError;
use crate::transfer::disk_work::PARALLEL_FILES;
use crate::transfer::job::{Job, Tree};
use crate::transfer::report::FileOutcome;
use crate::transfer::tree_result::TreeResult;
use crate::transport::StopLevel;

/// Connects while the local files are read. The transfer itself reports a failure.
pub(super) fn connect_in_background(connection: &Connection, run: &RunState) {
    let (connection, stop) = (connection.clone(), run.stop().clone());
    run.tasks().spawn(async move {
        tokio::select! {
            _ = stop.wait_above(StopLevel::None) => {}
            _ = connection.connect() => {}
        }
    });
}

/// Uploads a tree. Returns the changed paths.
pub(super) async fn put(tree: &Arc<Tree>, backend: Backend) -> Result<ChangedPaths, BackendError> {
    let done = backend.put_tree(tree).await?;
    let left = tree.jobs.iter().zip(&done.entries).filter(|(_, done)| done.is_none()).map(|(job, _)| job);
    let written = put_each(tree, &*backend, left).await?;
    Ok(collect_changes(tree, done, written))
}

/// Compares a tree. Returns the paths that an upload would change.
pub(super) async fn plan(tree: &Arc<Tree>, backend: Backend) -> Result<ChangedPaths, BackendError> {
    let done = backend.plan_tree(tree).await?;
    let left = tree.jobs.iter().zip(&done.entries).filter(|(_, done)| done.is_none()).map(|(job, _)| job);
    let each: Vec<_> = left.map(|job| backend.plan(job).boxed()).collect();
    let written = futures::stream::iter(each).buffered(PARALLEL_FILES).try_collect().await?;
    Ok(collect_changes(tree, done, written))
}

/// Merges the changes of the tree upload with the changes of the separate uploads.
fn collect_changes(tree: &Tree, done: TreeResult, written: Vec<FileOutcome>) -> ChangedPaths {
    let mut written = written.into_iter();
    let all = tree.jobs.iter().zip(done.entries).filter_map(|(job, done)| match done {
        Some(done) => Some((job.shown(), done)),
        None => written.next(),
    });
    // Only new and empty directories are listed: a file implies its directories.
    let is_listed = |job: &Job, done: bool| !job.is_directory() || done && tree.is_empty(job);
    let files = tree.jobs.iter().zip(all).filter(|(job, (_, done))| is_listed(job, *done));
    let removed = done.removed.iter().map(|below| format!("{}/{}", tree.root.trim_end_matches('/'), below.display()));
    ChangedPaths { files: files.map(|(_, written)| written).collect(), removed: removed.collect() }
}

/// Uploads entries separately, several at a time, after their directories.
async fn put_each<'a>(
    tree: &Tree,
    backend: &dyn FileBackend,
    jobs: impl Iterator<Item = &'a Job>,
) -> Result<Vec<FileOutcome>, BackendError> {
    let jobs: Vec<_> = jobs.collect();
    backend.create_directories(&tree.directories(&jobs), &format!("create the directory {}", tree.root)).await?;
    let mut written = vec![None; jobs.len()];
    // The jobs are sorted by path: a directory precedes its entries.
    for (job, slot) in jobs.iter().zip(&mut written).filter(|(job, _)| job.is_directory()) {
        *slot = Some(backend.put(job).await?);
    }
    let others = jobs.iter().zip(&mut written).filter(|(job, _)| !job.is_directory());
    let each: Vec<_> =
        others.map(|(job, slot)| async { backend.put(job).await.map(|put| *slot = Some(put)) }.boxed()).collect();
    let put = futures::stream::iter(each).buffer_unordered(PARALLEL_FILES).try_collect::<()>().await;
    let written: Vec<_> = written.into_iter().flatten().collect();
    let written_files = written.iter().filter(|(_, is_changed)| *is_changed).count();
    put.map(|()| written).map_err(|failure| failure.in_part(written_files))
}
