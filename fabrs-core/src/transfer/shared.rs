//! [`SharedFiles`]: large local files for several hosts. Each checksum is computed once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use super::checksum::Checksum;
use super::file_fingerprint::FileFingerprint;
use crate::error::Result;
use crate::mutex::lock;

/// The large files of the current uploads of a run.
#[derive(Debug, Default)]
pub(crate) struct SharedFiles(Mutex<HashMap<PathBuf, Vec<Weak<SharedFile>>>>);

/// A file with one fingerprint, for all hosts of an upload.
pub(crate) struct SharedFile {
    path: PathBuf,
    fingerprint: FileFingerprint,
    sum: tokio::sync::Mutex<Option<Checksum>>,
}

impl SharedFiles {
    /// Returns the shared file of a path and fingerprint.
    pub(crate) fn get(&self, path: &Path, fingerprint: &FileFingerprint) -> Arc<SharedFile> {
        let mut files = lock(&self.0);
        let same_path = files.entry(path.to_owned()).or_default();
        same_path.retain(|file| file.strong_count() > 0);
        let known = same_path.iter().filter_map(Weak::upgrade).find(|file| file.fingerprint == *fingerprint);
        known.unwrap_or_else(|| {
            let (path, fingerprint) = (path.to_owned(), fingerprint.clone());
            let file = Arc::new(SharedFile { path, fingerprint, sum: tokio::sync::Mutex::default() });
            same_path.push(Arc::downgrade(&file));
            file
        })
    }
}

impl SharedFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the checksum. The first caller runs `compute`, and concurrent callers wait.
    pub(crate) async fn sum_by<F: Future<Output = Result<Checksum>>>(
        &self,
        compute: impl FnOnce() -> F,
    ) -> Result<Checksum> {
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
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let fingerprint = || FileFingerprint::of(&std::fs::metadata(&path).unwrap());
        std::fs::write(&path, "old").unwrap();
        let shared = SharedFiles::default();
        let (one, other) = (shared.get(&path, &fingerprint()), shared.get(&path, &fingerprint()));
        let sum = one.sum_by(|| async { Ok(Checksum::of(b"old")) }).await.unwrap();
        assert_eq!(other.sum_by(|| async { Ok(Checksum::of(b"another")) }).await.unwrap(), sum);
        std::fs::write(&path, "newer").unwrap();
        assert!(!Arc::ptr_eq(&one, &shared.get(&path, &fingerprint())));
    }
}
