//! [`UploadContent`]: the content of an uploaded file, from a local file or from memory.

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

/// The size in bytes of one read of a file.
pub(crate) const CHUNK_SIZE: usize = 256 << 10;

/// The size in bytes of one read of a part. The size is small, because several parts are read at
/// once.
const PART_CHUNK_SIZE: usize = 32 << 10;

/// The content of one uploaded file.
#[derive(Clone)]
pub(crate) enum UploadContent {
    /// A local file.
    Path(PathBuf),
    /// A large local file, shared with the uploads to other hosts.
    Shared(Arc<SharedFile>),
    /// Bytes in memory.
    Bytes(Bytes),
    /// A secret. Only the owner may read the file.
    Secret(Secret),
    /// Generated content, with a name for messages.
    Generated(Arc<str>, Generated),
}

/// Generated content: a rendered template, or the copy of a reader.
#[derive(Clone)]
pub(crate) enum Generated {
    #[cfg_attr(not(feature = "template"), expect(dead_code, reason = "only templates use it"))]
    Bytes(Bytes),
    /// An unnamed file, with its size in bytes.
    File(Arc<File>, u64),
}

impl fmt::Debug for UploadContent {
    /// Shows the size of content in memory, and not the content itself.
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

impl UploadContent {
    /// Returns the fingerprint, without a read of the content.
    pub(crate) fn fingerprint(&self) -> Result<FileFingerprint> {
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
            // Unreachable: both variants have a path.
            (Self::Path(_) | Self::Shared(_), None) => Ok(FileFingerprint::of_size(0)),
        }
    }

    /// Computes the checksum on a blocking thread. A shared file is read once.
    pub(crate) async fn sum(&self) -> Result<Checksum> {
        if let Self::Shared(file) = self {
            let path = file.path().to_owned();
            return file.sum_by(|| Box::pin(async move { Self::Path(path).sum().await })).await;
        }
        let content = self.clone();
        blocking_while(move |is_wanted| content.sum_by(&mut vec![0; CHUNK_SIZE], is_wanted)).await
    }

    /// Computes the checksum, in reads of the size of `buffer`. Reading stops when `is_wanted`
    /// returns false.
    pub(crate) fn sum_by(&self, buffer: &mut [u8], is_wanted: &dyn Fn() -> bool) -> Result<Checksum> {
        ChecksumBuilder::of_reader(&mut *self.reader()?, buffer, is_wanted).map_err(|source| self.unreadable(source))
    }

    /// Returns the secret, or `None` for other content.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::Path(_) | Self::Shared(_) | Self::Bytes(_) | Self::Generated(..) => None,
        }
    }

    /// Sends the content in chunks, as fast as the receiver accepts them. This blocks. If the
    /// receiver is closed, the send ends without an error, because the receiver reports the reason.
    ///
    /// The last chunk is sent only if the fingerprint is still `before`. If the file has changed,
    /// the host receives an incomplete content, and keeps the old file.
    pub(crate) fn send(
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
            // The receiver reports why it is closed.
            if to.blocking_send(last).is_ok() {
                progress.add(length);
            }
        }
        Ok(())
    }

    /// Sends a part of the content in chunks. See [`send`](Self::send).
    pub(crate) fn send_part(
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

    /// Opens the content at an offset in bytes.
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

    /// Checks that the fingerprint is still `before`.
    pub(crate) async fn expect_unchanged(&self, before: &FileFingerprint) -> Result<()> {
        let (content, before) = (self.clone(), before.clone());
        blocking(move || if content.fingerprint()? == before { Ok(()) } else { Err(content.changed()) }).await
    }

    /// Creates the error of a file that has changed during the transfer.
    pub(crate) fn changed(&self) -> Error {
        Error::new(ErrorKind::Local, format!("`{self:?}` was changed during the upload"))
    }

    /// Creates the error of a file that can't be read.
    pub(crate) fn unreadable(&self, source: std::io::Error) -> Error {
        Error::new(ErrorKind::Local, format!("could not read `{self:?}`")).caused_by(source)
    }

    /// Opens the local file, and returns its size in bytes. Returns `None` for content in memory.
    pub(crate) fn file(&self) -> Result<Option<(File, u64)>> {
        let path = match self {
            Self::Path(path) => path.as_path(),
            Self::Shared(file) => file.path(),
            Self::Bytes(_) | Self::Secret(_) | Self::Generated(..) => return Ok(None),
        };
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        opened.map(|(size, file)| Some((file, size))).map_err(|source| self.unreadable(source))
    }

    /// Opens the content at the start.
    pub(crate) fn reader(&self) -> Result<Box<dyn Read + '_>> {
        self.part(0)
    }

    /// Calls `take` with each chunk until `take` returns false. This blocks.
    pub(crate) fn for_each_chunk(&self, mut take: impl FnMut(Bytes) -> bool) -> Result<()> {
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

/// A reader with its own position in a shared file.
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

    /// Sends a file after `change`. Returns the received bytes, and the result of the send.
    fn sent(change: impl FnOnce(&Path)) -> (Vec<u8>, Result<()>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, vec![b'x'; 2 * CHUNK_SIZE]).unwrap();
        let source = UploadContent::Path(path.clone());
        let before = source.fingerprint().unwrap();
        change(&path);
        let (to, mut chunks) = mpsc::channel(16);
        let result = source.send(&before, &to, &ProgressCounter::silent());
        drop(to);
        let received = std::iter::from_fn(|| chunks.try_recv().ok()).flatten().collect();
        (received, result)
    }

    #[test]
    fn a_changed_file_is_sent_incomplete() {
        let (received, result) = sent(|_| {});
        assert!(received.len() == 2 * CHUNK_SIZE && result.is_ok());
        let (received, result) = sent(|path| std::fs::write(path, vec![b'y'; 2 * CHUNK_SIZE]).unwrap());
        assert!(received.len() < 2 * CHUNK_SIZE && result.is_err(), "another content of equal size");
        let (received, result) = sent(|path| std::fs::write(path, vec![b'y'; 2 * CHUNK_SIZE + 1]).unwrap());
        assert!(received.len() < 2 * CHUNK_SIZE && result.is_err(), "a longer content");
        let (received, result) = sent(|path| std::fs::write(path, b"short").unwrap());
        assert!(received.is_empty() && result.is_err(), "a shorter content");
        let (_, result) = sent(|path| std::fs::remove_file(path).unwrap());
        assert!(result.is_err(), "a removed file");
    }

    #[test]
    fn a_part_beyond_the_end_is_an_error() {
        let (to, mut chunks) = mpsc::channel(16);
        let source = UploadContent::Bytes(Bytes::from_static(b"0123456789"));
        source.send_part(3, 4, &to, &ProgressCounter::silent()).unwrap();
        assert_eq!(chunks.try_recv().unwrap(), &b"3456"[..]);
        assert!(source.send_part(8, 4, &to, &ProgressCounter::silent()).is_err());
    }
}
