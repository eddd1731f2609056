//! Generates the tar stream of an upload.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{BufMut, Bytes, BytesMut};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

use super::action::{Action, StreamEntry};
use super::script_text::{AFTER_RENAMES, CLEANUP, COMPLETE, RENAMES, STAGING, SUMS_FILE};
use crate::error::{Error, Result};
use crate::transfer::checksum::{Checksum, ChecksumBuilder};
use crate::transfer::job::{FileJob, Tree};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::walk::ItemKind;

/// The size of the chunks for the network, in bytes.
const CHUNK_SIZE: usize = 128 << 10;

/// The contents of a tar stream.
pub(crate) struct TarStream {
    pub(crate) tree: Arc<Tree>,
    pub(crate) actions: Arc<[Action]>,
    /// The missing directories.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// The scripts for the renames, for the steps after the renames, and for the clean-up.
    pub(crate) scripts: [Vec<u8>; 3],
    pub(crate) progress: Arc<ProgressCounter>,
}

/// Sends the stream on a blocking thread. A closed receiver is not an error here, because the
/// dialogue reports the end of the script.
pub(crate) fn send(source: &TarStream, to: mpsc::Sender<Bytes>) -> Result<()> {
    let buffer = BytesMut::with_capacity(CHUNK_SIZE);
    let mut stream = Builder::new(ChunkWriter { to, buffer });
    let sent = pack(&mut stream, source);
    match sent {
        Err(StreamError::Local(error)) => Err(error),
        Err(StreamError::Closed) | Ok(()) => Ok(()),
    }
}

/// The reason why the stream is incomplete.
enum StreamError {
    Local(Error),
    /// The receiver is closed.
    Closed,
}

impl From<io::Error> for StreamError {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

fn pack(stream: &mut Builder<ChunkWriter>, source: &TarStream) -> std::result::Result<(), StreamError> {
    let TarStream { tree, actions, directories, scripts, progress } = source;
    for (name, script) in [RENAMES, AFTER_RENAMES, CLEANUP].into_iter().zip(scripts) {
        stream.append_data(&mut header(EntryType::Regular, 0o600, script.len() as u64), name, &script[..])?;
    }
    let mut sums = Vec::new();
    for folder in directories {
        let path = Path::new(STAGING).join(folder);
        stream.append_data(&mut header(EntryType::Directory, 0o755, 0), path, io::empty())?;
    }
    for (job, action) in tree.jobs.iter().zip(&**actions) {
        let (Action::Stream(StreamEntry { mode, .. }), Some(below)) = (action, &job.item.below) else { continue };
        let path = Path::new(STAGING).join(below);
        if let ItemKind::Link(to) = &job.item.content {
            stream.append_link(&mut header(EntryType::Symlink, *mode, 0), path, to)?;
        } else if let Some(file) = job.as_file() {
            let summing = tree.write_options.verifies.then(ChecksumBuilder::new);
            let mut content = SizedReader::open(file, summing, progress).map_err(StreamError::Local)?;
            let mut header = header(EntryType::Regular, *mode, file.fingerprint.size);
            if let Some(modified) = job.attributes.modified.and_then(|modified| u64::try_from(modified).ok()) {
                header.set_mtime(modified);
            }
            let appended = stream.append_data(&mut header, &path, &mut content);
            if let Some(sum) = content.check(appended)? {
                sums.extend_from_slice(format!("{}  ", sum.sha256).as_bytes());
                sums.extend_from_slice(path.as_os_str().as_bytes());
                sums.push(b'\n');
            }
        }
    }
    stream.append_data(&mut header(EntryType::Regular, 0o600, sums.len() as u64), SUMS_FILE, &sums[..])?;
    stream.append_data(&mut header(EntryType::Regular, 0o600, 0), COMPLETE, io::empty())?;
    stream.finish()?;
    stream.get_mut().flush()?;
    Ok(())
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    // The host decides the owner. The stream has owner 0.
    header.set_uid(0);
    header.set_gid(0);
    // The current time, for entries without a requested time, such as directories and symlinks of a
    // sync.
    header.set_mtime(UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()));
    header.set_size(size);
    header
}

/// Reads exactly the announced number of bytes of a file.
struct SizedReader<'a> {
    file: FileJob<'a>,
    content: Box<dyn Read + 'a>,
    left: u64,
    failure: Option<io::Error>,
    summing: Option<ChecksumBuilder>,
    progress: &'a ProgressCounter,
}

impl<'a> SizedReader<'a> {
    fn open(file: FileJob<'a>, summing: Option<ChecksumBuilder>, progress: &'a ProgressCounter) -> Result<Self> {
        let left = file.fingerprint.size;
        Ok(Self { file, content: file.content.reader()?, left, failure: None, summing, progress })
    }

    /// Returns the checksum, if requested. Fails if the file was not read completely, or changed
    /// during the read.
    fn check(self, appended: io::Result<()>) -> std::result::Result<Option<Checksum>, StreamError> {
        if let Some(source) = self.failure {
            return Err(StreamError::Local(self.file.content.unreadable(source)));
        }
        appended?;
        if self.left == 0 && self.file.content.fingerprint().map_err(StreamError::Local)? == *self.file.fingerprint {
            Ok(self.summing.map(ChecksumBuilder::finish))
        } else {
            Err(StreamError::Local(self.file.content.changed()))
        }
    }
}

impl Read for SizedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.content.read(buffer.get_mut(..most).unwrap_or_default());
        match read {
            Ok(read) => {
                self.left -= read as u64;
                self.progress.add(read);
                if let Some(summing) = &mut self.summing {
                    summing.update(buffer.get(..read).unwrap_or_default());
                }
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                Err(kind.into())
            }
        }
    }
}

/// A writer to a channel of chunks.
struct ChunkWriter {
    to: mpsc::Sender<Bytes>,
    buffer: BytesMut,
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.put_slice(bytes);
        if self.buffer.len() >= CHUNK_SIZE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = self.buffer.split().freeze();
        if chunk.is_empty() {
            return Ok(());
        }
        self.to.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
