//! Large local files that go to several hosts: the checksum of each is computed once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::stamp::Stamp;
use super::sum::Sum;
use crate::error::Result;

/// The large files that are being uploaded in a run.
#[derive(Debug, Default)]
pub(super) struct SharedFiles(Mutex<HashMap<PathBuf, Vec<Weak<SharedFile>>>>);

/// A file with one size and modification time, for all hosts that receive it.
pub(super) struct SharedFile {
    path: PathBuf,
    stamp: Stamp,
    sum: tokio::sync::Mutex<Option<Sum>>,
}

impl SharedFiles {
    /// Returns the shared file of a path.
    pub(super) fn get(&self, path: &Path, stamp: &Stamp) -> Arc<SharedFile> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_path = files.entry(path.to_owned()).or_default();
        same_path.retain(|file| file.strong_count() > 0);
        let known = same_path.iter().filter_map(Weak::upgrade).find(|file| file.stamp == *stamp);
        known.unwrap_or_else(|| {
            let (path, stamp) = (path.to_owned(), stamp.clone());
            let file = Arc::new(SharedFile { path, stamp, sum: tokio::sync::Mutex::default() });
            same_path.push(Arc::downgrade(&file));
            file
        })
    }
}

impl SharedFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the checksum. The first caller computes it by `compute`, and others wait.
    pub(super) async fn sum_by<F: Future<Output = Result<Sum>>>(&self, compute: impl FnOnce() -> F) -> Result<Sum> {
        let mut sum = self.sum.lock().await;
        if let Some(sum) = &*sum {
            return Ok(*sum);
        }
        let new = compute().await?;
        Ok(*sum.insert(new))
    }
}

impl fmt::Debug for SharedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_checksum_of_a_file_is_computed_once_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let stamp = || Stamp::of(&std::fs::metadata(&path).unwrap());
        std::fs::write(&path, "old").unwrap();
        let shared = SharedFiles::default();
        let (one, other) = (shared.get(&path, &stamp()), shared.get(&path, &stamp()));
        let sum = one.sum_by(|| async { Ok(Sum::of(b"old")) }).await.unwrap();
        assert_eq!(other.sum_by(|| async { Ok(Sum::of(b"another")) }).await.unwrap(), sum);
        std::fs::write(&path, "newer").unwrap();
        assert!(!Arc::ptr_eq(&one, &shared.get(&path, &stamp())));
    }
}
