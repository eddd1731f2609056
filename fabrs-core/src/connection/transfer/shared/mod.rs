//! A large file of this machine on its way to several hosts: summed up once, and read once as far as they keep up with
//! each other.

mod reader;
mod window;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use reader::{Patience, Pieces, Reader};
use window::Lane;

use super::stamp::Stamp;
use super::sum::Sum;
use crate::error::Result;

/// The large files of a run that are on their way.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<HashMap<PathBuf, Vec<Weak<Content>>>>);

/// One file as it was when it was looked at, for all hosts that it goes to.
struct Content {
    path: PathBuf,
    stamp: Stamp,
    sum: tokio::sync::Mutex<Option<Sum>>,
    pieces: Pieces,
    /// Tells hosts apart, and their channels.
    numbers: AtomicU64,
}

/// The share that one host has in a file.
pub(super) struct Share {
    content: Arc<Content>,
    host: u64,
}

impl Shared {
    /// Joins in the way of a file.
    pub(super) fn join(&self, path: &Path, stamp: &Stamp) -> Share {
        self.join_with(path, stamp, Patience::SOME)
    }

    fn join_with(&self, path: &Path, stamp: &Stamp, patience: Patience) -> Share {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = files.entry(path.to_owned()).or_default();
        same.retain(|content| content.strong_count() > 0);
        let known = same.iter().filter_map(Weak::upgrade).find(|content| content.stamp == *stamp);
        let content = known.unwrap_or_else(|| {
            let content = Arc::new(Content {
                path: path.to_owned(),
                stamp: stamp.clone(),
                sum: tokio::sync::Mutex::default(),
                pieces: Pieces::new(patience),
                numbers: AtomicU64::default(),
            });
            same.push(Arc::downgrade(&content));
            content
        });
        let host = content.next_number();
        content.pieces.window().enter(host);
        Share { content, host }
    }
}

impl Share {
    pub(super) fn path(&self) -> &Path {
        &self.content.path
    }

    /// Returns the sum of the file, which whoever asks first makes; others wait.
    pub(super) async fn sum_by<F: Future<Output = Result<Sum>>>(&self, make: impl FnOnce() -> F) -> Result<Sum> {
        let mut sum = self.content.sum.lock().await;
        if let Some(sum) = &*sum {
            return Ok(*sum);
        }
        let new = make().await?;
        Ok(*sum.insert(new))
    }

    /// Opens it to read from one place in it to another.
    pub(super) fn reader(&self, start: u64, end: u64) -> io::Result<impl Read + '_> {
        let content = &self.content;
        let file = File::open(&content.path)?;
        let lane = Lane { host: self.host, channel: content.next_number() };
        Ok(Reader::new(&content.pieces, file, lane, start, end.min(content.stamp.size)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.content.pieces.leave(self.host);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path().display())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Content {
    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::reader::PIECE;
    use super::*;

    const ENDLESS: Patience = Patience { at_most: Duration::MAX, one_of: 1 };
    const NONE: Patience = Patience { at_most: Duration::ZERO, one_of: u32::MAX };

    fn all(share: &Share, start: u64) -> Vec<u8> {
        let mut all = Vec::new();
        share.reader(start, u64::MAX).unwrap().read_to_end(&mut all).unwrap();
        all
    }

    /// Makes a file of so many pieces and a few bytes more; returns its content, and the shares that two hosts have in it.
    fn file(folder: &Path, pieces: usize, patience: Patience) -> (Vec<u8>, [Share; 2]) {
        let path = folder.join("x");
        let content: Vec<u8> = (0..=250_u8).cycle().take(pieces * PIECE + 5).collect();
        std::fs::write(&path, &content).unwrap();
        let stamp = Stamp::of(&std::fs::metadata(&path).unwrap());
        let shared = Shared::default();
        (content, [(); 2].map(|()| shared.join_with(&path, &stamp, patience)))
    }

    fn reads(share: &Share) -> usize {
        share.content.pieces.reads.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn what_several_want_is_read_and_summed_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let (content, [one, other]) = file(folder.path(), 3, Patience::SOME);
        assert!(all(&one, 7) == content[7..] && all(&other, PIECE as u64 + 3) == content[PIECE + 3..]);
        assert_eq!(reads(&one), 4);
        let sum = one.sum_by(|| async { Ok(Sum::of(b"x")) }).await.unwrap();
        assert_eq!(other.sum_by(|| async { Ok(Sum::of(b"y")) }).await.unwrap(), sum);
        drop(one);
        assert!(all(&other, 0) == content);
        assert_eq!(reads(&other), 4, "who is alone keeps no pieces");
    }

    #[test]
    fn who_is_ahead_waits_so_that_each_piece_is_read_once_however_large_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let (content, shares) = file(folder.path(), 200, ENDLESS);
        std::thread::scope(|scope| {
            // Both have begun before either goes on.
            let readers = shares.each_ref().map(|share| share.reader(0, u64::MAX).unwrap());
            for mut reader in readers {
                let content = &content;
                scope.spawn(move || {
                    let mut read = Vec::new();
                    reader.read_to_end(&mut read).unwrap();
                    assert!(read == *content);
                });
            }
        });
        assert_eq!(reads(&shares[0]), 201);
    }

    #[test]
    fn who_does_not_come_holds_nobody_up_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let (content, [one, other]) = file(folder.path(), 200, NONE);
        let mut slow = other.reader(0, u64::MAX).unwrap();
        assert!(all(&one, 0) == content);
        let mut read = Vec::new();
        slow.read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    #[test]
    fn another_file_of_the_same_name_is_another_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "old").unwrap();
        let shared = Shared::default();
        let old = shared.join(&path, &Stamp::of(&std::fs::metadata(&path).unwrap()));
        std::fs::write(&path, "newer").unwrap();
        let new = shared.join(&path, &Stamp::of(&std::fs::metadata(&path).unwrap()));
        assert!(!Arc::ptr_eq(&old.content, &new.content));
    }
}
