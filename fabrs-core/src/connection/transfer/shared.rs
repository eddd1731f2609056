//! A large file of this machine on its way to several hosts: summed up once, and read once as far as they keep up with
//! each other.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::{Bytes, BytesMut};

use super::stamp::Stamp;
use super::sum::Sum;
use crate::error::Result;

/// How much is read at a time.
const BLOCK: usize = 256 << 10;
/// How many blocks are kept where several hosts want them: for each of the channels of a host a few.
const KEPT: usize = 64;

/// The large files of a run that are on their way.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<HashMap<PathBuf, Vec<Weak<Content>>>>);

/// One file as it was when it was looked at, for all hosts that it goes to.
struct Content {
    path: PathBuf,
    stamp: Stamp,
    /// How many puts it is part of.
    users: AtomicUsize,
    sum: tokio::sync::Mutex<Option<Sum>>,
    blocks: Mutex<VecDeque<(u64, Bytes)>>,
}

/// The part that one put has in a file.
pub(super) struct Part(Arc<Content>);

impl Shared {
    /// Joins in the way of a file.
    pub(super) fn join(&self, path: &Path, stamp: &Stamp) -> Part {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = files.entry(path.to_owned()).or_default();
        same.retain(|content| content.strong_count() > 0);
        let known = same.iter().filter_map(Weak::upgrade).find(|content| content.stamp == *stamp);
        let content = known.unwrap_or_else(|| {
            let content = Arc::new(Content {
                path: path.to_owned(),
                stamp: stamp.clone(),
                users: AtomicUsize::new(0),
                sum: tokio::sync::Mutex::default(),
                blocks: Mutex::default(),
            });
            same.push(Arc::downgrade(&content));
            content
        });
        content.users.fetch_add(1, Ordering::Relaxed);
        Part(content)
    }
}

impl Part {
    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns the sum of the file, which whoever asks first makes; others wait.
    pub(super) async fn sum_by<F: Future<Output = Result<Sum>>>(&self, make: impl FnOnce() -> F) -> Result<Sum> {
        let mut sum = self.0.sum.lock().await;
        if let Some(sum) = &*sum {
            return Ok(*sum);
        }
        let new = make().await?;
        Ok(*sum.insert(new))
    }

    /// Opens it at some place in it.
    pub(super) fn reader_at(&self, start: u64) -> io::Result<Box<dyn Read + '_>> {
        let mut file = File::open(&self.0.path)?;
        if self.0.is_of_one() {
            file.seek(SeekFrom::Start(start))?;
            return Ok(Box::new(file));
        }
        Ok(Box::new(Reader { content: &self.0, file, at: start, block: None }))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path.display())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Content {
    /// Tells whether it goes to one host alone at present.
    fn is_of_one(&self) -> bool {
        self.users.load(Ordering::Relaxed) < 2
    }

    /// Returns a block, which whoever comes first reads.
    fn block(&self, file: &File, number: u64) -> io::Result<Bytes> {
        if self.is_of_one() {
            return read(file, number);
        }
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = blocks.iter().find(|(known, _)| *known == number) {
            return Ok(block.clone());
        }
        let block = read(file, number)?;
        blocks.push_back((number, block.clone()));
        if blocks.len() > KEPT {
            blocks.pop_front();
        }
        Ok(block)
    }
}

fn read(file: &File, number: u64) -> io::Result<Bytes> {
    let mut block = BytesMut::zeroed(BLOCK);
    let mut length = 0;
    while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, number * BLOCK as u64 + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(length);
    Ok(block.freeze())
}

/// Reads a file block by block.
struct Reader<'a> {
    content: &'a Content,
    file: File,
    at: u64,
    block: Option<(u64, Bytes)>,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (number, offset) = (self.at / BLOCK as u64, usize::try_from(self.at % BLOCK as u64).unwrap_or_default());
        let block = match self.block.take() {
            Some((known, block)) if known == number => block,
            _ => self.content.block(&self.file, number)?,
        };
        let rest = block.get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count as u64;
        self.block = Some((number, block));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(part: &Part, start: u64) -> Vec<u8> {
        let mut all = Vec::new();
        part.reader_at(start).unwrap().read_to_end(&mut all).unwrap();
        all
    }

    #[tokio::test]
    async fn what_several_want_is_read_once_and_what_one_wants_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let content: Vec<u8> = (0..=250_u8).cycle().take(3 * BLOCK + 5).collect();
        std::fs::write(&path, &content).unwrap();
        let stamp = Stamp::of(&std::fs::metadata(&path).unwrap());
        let shared = Shared::default();
        let one = shared.join(&path, &stamp);
        assert!(all(&one, 7) == content[7..]);
        assert_eq!(one.0.blocks.lock().unwrap().len(), 0);
        let other = shared.join(&path, &stamp);
        assert!(all(&one, 0) == content);
        // What is in the place of the file now is not read any more.
        std::fs::write(&path, vec![0; content.len()]).unwrap();
        assert!(all(&other, BLOCK as u64 + 3) == content[BLOCK + 3..]);
        let sum = one.sum_by(|| async { Ok(Sum::of(b"x")) }).await.unwrap();
        assert_eq!(other.sum_by(|| async { Ok(Sum::of(b"y")) }).await.unwrap(), sum);
        drop(one);
        assert!(all(&other, 0) == vec![0; content.len()]);
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
        assert!(!Arc::ptr_eq(&old.0, &new.0));
    }
}
