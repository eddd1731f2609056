//! A content: a file of this machine, or what is in memory. It is looked at, summed up and sent.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::checksum::{Checksum, ChecksumBuilder};
use super::disk_work::{blocking, blocking_while};
use super::file_fingerprint::FileFingerprint;
use super::progress_counter::ProgressCounter;
use super::shared::SharedFile;
use super::source::in_bytes;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How much of a file is read at a time.
pub(super) const CHUNK_SIZE: usize = 256 << 10;

/// How much of a part is read at a time: several are on their way at once.
const PART_CHUNK_SIZE: usize = 32 << 10;

/// What goes into one file of a host.
#[derive(Clone)]
pub(super) enum Content {
    /// The content of a file.
    Path(PathBuf),
    /// The content of a large file, which may go to other hosts too.
    Shared(Arc<SharedFile>),
    /// This content.
    Bytes(Bytes),
    /// This content, which nobody else may read.
    Secret(Secret),
    /// What came from elsewhere, with a name for it.
    Generated(Arc<str>, Generated),
}

/// A content that came from elsewhere.
#[derive(Clone)]
pub(super) enum Generated {
    #[cfg_attr(not(feature = "template"), expect(dead_code, reason = "only templates have it"))]
    Bytes(Bytes),
    /// So many bytes in a file without a name.
    File(Arc<File>, u64),
}

impl fmt::Debug for Content {
    /// Shows how much content it is and not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Shared(file) => file.fmt(f),
            Self::Bytes(bytes) => f.write_str(&in_bytes(bytes.len())),
            Self::Secret(_) => f.write_str("a secret"),
            Self::Generated(name, _) => f.write_str(name),
        }
    }
}

impl Content {
    /// Looks at the content, of which nothing is read.
    pub(super) fn fingerprint(&self) -> Result<FileFingerprint> {
        let path = match self {
            Self::Path(path) => Some(path.as_path()),
            Self::Shared(file) => Some(file.path()),
            Self::Bytes(_) | Self::Secret(_) | Self::Generated(..) => None,
        };
        match (self, path) {
            (_, Some(path)) => {
                let meta = std::fs::metadata(path).map_err(|source| self.unreadable(source))?;
                Ok(FileFingerprint::of(&meta))
            }
            (Self::Bytes(bytes) | Self::Generated(_, Generated::Bytes(bytes)), _) => {
                Ok(FileFingerprint::of_size(bytes.len() as u64))
            }
            (Self::Secret(secret), _) => Ok(FileFingerprint::of_size(secret.expose().len() as u64)),
            (Self::Generated(_, Generated::File(_, size)), _) => Ok(FileFingerprint::of_size(*size)),
            // They have a path.
            (Self::Path(_) | Self::Shared(_), None) => Ok(FileFingerprint::of_size(0)),
        }
    }

    /// Reads the content once and sums it up, on a thread that may wait for it.
    pub(super) async fn sum(&self) -> Result<Checksum> {
        if let Self::Shared(file) = self {
            let path = file.path().to_owned();
            return file.sum_by(|| Box::pin(async move { Self::Path(path).sum().await })).await;
        }
        let content = self.clone();
        blocking_while(move |is_wanted| content.sum_by(&mut vec![0; CHUNK_SIZE], is_wanted)).await
    }

    /// Sums the content up as long as that `is_wanted`; as much of it is read at a time as goes into the `buffer`.
    pub(super) fn sum_by(&self, buffer: &mut [u8], is_wanted: &dyn Fn() -> bool) -> Result<Checksum> {
        ChecksumBuilder::of_reader(&mut *self.reader()?, buffer, is_wanted).map_err(|source| self.unreadable(source))
    }

    /// Returns the secret that it is.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::Path(_) | Self::Shared(_) | Self::Bytes(_) | Self::Generated(..) => None,
        }
    }

    /// Sends the content piece by piece, as fast as it is taken, on a blocking thread. That nobody takes it any more is for
    /// the other side to tell.
    ///
    /// The last piece of what is to be sent is held back until the content is known to be what `before` says: of a file that has changed since, the
    /// host gets too little, and leaves the old one.
    pub(super) fn send(
        &self,
        before: &FileFingerprint,
        to: &mpsc::Sender<Bytes>,
        progress: &ProgressCounter,
    ) -> Result<()> {
        let mut last: Option<Bytes> = None;
        let mut size = 0;
        let mut is_wanted = true;
        self.for_each_chunk(|chunk| {
            size += chunk.len() as u64;
            if size > before.size {
                return false;
            }
            is_wanted = last.replace(chunk).is_none_or(|before| {
                let length = before.len();
                let is_taken = to.blocking_send(before).is_ok();
                if is_taken {
                    progress.add(length);
                }
                is_taken
            });
            is_wanted
        })?;
        if !is_wanted {
            return Ok(());
        }
        if size != before.size || self.fingerprint()? != *before {
            return Err(self.changed());
        }
        if let Some(last) = last {
            let length = last.len();
            // That nobody takes it is for the other side to tell.
            if to.blocking_send(last).is_ok() {
                progress.add(length);
            }
        }
        Ok(())
    }

    /// Sends a part of the content piece by piece, as [`send`](Self::send) does.
    pub(super) fn send_part(
        &self,
        start: u64,
        length: u64,
        to: &mpsc::Sender<Bytes>,
        progress: &ProgressCounter,
    ) -> Result<()> {
        let mut content = self.part(start)?.take(length);
        let mut left = length;
        while left > 0 {
            let mut chunk = BytesMut::zeroed(PART_CHUNK_SIZE.min(usize::try_from(left).unwrap_or(usize::MAX)));
            let read = content.read(&mut chunk).map_err(|source| self.unreadable(source))?;
            if read == 0 {
                return Err(self.changed());
            }
            chunk.truncate(read);
            left -= read as u64;
            if to.blocking_send(chunk.freeze()).is_err() {
                break;
            }
            progress.add(read);
        }
        Ok(())
    }

    /// Opens the content at an offset.
    fn part(&self, start: u64) -> Result<Box<dyn Read + '_>> {
        let behind = |bytes: &'_ [u8]| usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
        match self {
            Self::Path(path) => self.opened_at(path, start),
            Self::Shared(file) => self.opened_at(file.path(), start),
            Self::Bytes(bytes) | Self::Generated(_, Generated::Bytes(bytes)) => {
                Ok(Box::new(bytes.get(behind(bytes)..).unwrap_or_default()))
            }
            Self::Secret(secret) => {
                let bytes = secret.expose().as_bytes();
                Ok(Box::new(bytes.get(behind(bytes)..).unwrap_or_default()))
            }
            Self::Generated(_, Generated::File(file, _)) => Ok(Box::new(At { file, at: start })),
        }
    }

    fn opened_at(&self, path: &Path, start: u64) -> Result<Box<dyn Read + '_>> {
        let mut file = File::open(path).map_err(|source| self.unreadable(source))?;
        file.seek(SeekFrom::Start(start)).map_err(|source| self.unreadable(source))?;
        Ok(Box::new(file))
    }

    /// Fails where the content is not what it was.
    pub(super) async fn expect_unchanged(&self, before: &FileFingerprint) -> Result<()> {
        let (content, before) = (self.clone(), before.clone());
        blocking(move || if content.fingerprint()? == before { Ok(()) } else { Err(content.changed()) }).await
    }

    /// Makes the error of a content that is not what it was.
    pub(super) fn changed(&self) -> Error {
        Error::new(ErrorKind::Local, format!("`{self:?}` was changed while it was read"))
    }

    /// Makes the error of a content that could not be read.
    pub(super) fn unreadable(&self, source: std::io::Error) -> Error {
        Error::new(ErrorKind::Local, format!("could not read `{self:?}`")).caused_by(source)
    }

    /// Opens the file that it is, and returns how large that is.
    pub(super) fn file(&self) -> Result<Option<(File, u64)>> {
        let path = match self {
            Self::Path(path) => path.as_path(),
            Self::Shared(file) => file.path(),
            Self::Bytes(_) | Self::Secret(_) | Self::Generated(..) => return Ok(None),
        };
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        opened.map(|(size, file)| Some((file, size))).map_err(|source| self.unreadable(source))
    }

    /// Opens the content.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + '_>> {
        self.part(0)
    }

    /// Gives out the content piece by piece while it is taken, on a blocking thread.
    pub(super) fn for_each_chunk(&self, mut take: impl FnMut(Bytes) -> bool) -> Result<()> {
        let mut content = self.reader()?;
        loop {
            let mut buffer = BytesMut::zeroed(CHUNK_SIZE);
            let read = content.read(&mut buffer).map_err(|source| self.unreadable(source))?;
            buffer.truncate(read);
            if read == 0 || !take(buffer.freeze()) {
                return Ok(());
            }
        }
    }
}

/// A file that others read too, each at a place of its own.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends what a file has, after `change` has done something to it; returns what came, and how it went.
    fn sent(change: impl FnOnce(&Path)) -> (Vec<u8>, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, vec![b'x'; 2 * CHUNK_SIZE]).unwrap();
        let source = Content::Path(path.clone());
        let before = source.fingerprint().unwrap();
        change(&path);
        let (to, mut chunks) = mpsc::channel(16);
        let result = source.send(&before, &to, &ProgressCounter::silent());
        drop(to);
        let came = std::iter::from_fn(|| chunks.try_recv().ok()).flatten().collect();
        (came, result)
    }

    #[test]
    fn of_a_file_that_is_not_what_it_was_the_host_gets_too_little() {
        let (came, result) = sent(|_| {});
        assert!(came.len() == 2 * CHUNK_SIZE && result.is_ok());
        let (came, result) = sent(|path| std::fs::write(path, vec![b'y'; 2 * CHUNK_SIZE]).unwrap());
        assert!(came.len() < 2 * CHUNK_SIZE && result.is_err(), "another content");
        let (came, result) = sent(|path| std::fs::write(path, vec![b'y'; 2 * CHUNK_SIZE + 1]).unwrap());
        assert!(came.len() < 2 * CHUNK_SIZE && result.is_err(), "a longer one");
        let (came, result) = sent(|path| std::fs::write(path, b"short").unwrap());
        assert!(came.is_empty() && result.is_err(), "a shorter one");
        let (_, result) = sent(|path| std::fs::remove_file(path).unwrap());
        assert!(result.is_err(), "none");
    }

    #[test]
    fn a_part_that_is_not_there_any_more_is_an_error() {
        let (to, mut chunks) = mpsc::channel(16);
        let source = Content::Bytes(Bytes::from_static(b"0123456789"));
        source.send_part(3, 4, &to, &ProgressCounter::silent()).unwrap();
        assert_eq!(chunks.try_recv().unwrap(), &b"3456"[..]);
        assert!(source.send_part(8, 4, &to, &ProgressCounter::silent()).is_err());
    }
}
