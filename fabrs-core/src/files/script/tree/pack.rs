//! The stream of a tree, as `tar` has it.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{BufMut, Bytes, BytesMut};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

use super::plan::{Fate, Sent};
use super::text::{AFTERWARDS, CLOSE, LAST, MOVES, STAGE, SUMS_FILE};
use crate::error::{Error, Result};
use crate::files::checksum::{Checksum, ChecksumBuilder};
use crate::files::job::{FileJob, Tree};
use crate::files::progress_counter::ProgressCounter;
use crate::files::walk::ItemKind;

/// How much goes to the network at a time.
const CHUNK_SIZE: usize = 128 << 10;

/// All that goes into a stream.
pub(super) struct Cargo {
    pub(super) tree: Arc<Tree>,
    pub(super) fates: Arc<[Fate]>,
    /// The folders that are not there yet.
    pub(super) folders: BTreeSet<PathBuf>,
    /// What is done when all has come, when all is in its place, and at the end whatever has come.
    pub(super) scripts: [Vec<u8>; 3],
    pub(super) progress: Arc<ProgressCounter>,
}

/// Sends all of it, on a blocking thread. That nobody takes it any more is for the other side to tell.
pub(super) fn send(cargo: &Cargo, to: mpsc::Sender<Bytes>) -> Result<()> {
    let buffer = BytesMut::with_capacity(CHUNK_SIZE);
    let mut stream = Builder::new(Pieces { to, buffer });
    let sent = pack(&mut stream, cargo);
    match sent {
        Err(Unsent::Here(error)) => Err(error),
        Err(Unsent::Stream) | Ok(()) => Ok(()),
    }
}

/// Why not all has been sent.
enum Unsent {
    Here(Error),
    /// Nobody takes it.
    Stream,
}

impl From<io::Error> for Unsent {
    fn from(_: io::Error) -> Self {
        Self::Stream
    }
}

fn pack(stream: &mut Builder<Pieces>, cargo: &Cargo) -> std::result::Result<(), Unsent> {
    let Cargo { tree, fates, folders, scripts, progress } = cargo;
    for (name, script) in [MOVES, AFTERWARDS, CLOSE].into_iter().zip(scripts) {
        stream.append_data(&mut header(EntryType::Regular, 0o600, script.len() as u64), name, &script[..])?;
    }
    let mut sums = Vec::new();
    for folder in folders {
        let path = Path::new(STAGE).join(folder);
        stream.append_data(&mut header(EntryType::Directory, 0o755, 0), path, io::empty())?;
    }
    for (job, fate) in tree.jobs.iter().zip(&**fates) {
        let (Fate::Send(Sent { mode, .. }), Some(below)) = (fate, &job.item.below) else { continue };
        let path = Path::new(STAGE).join(below);
        if let ItemKind::Link(to) = &job.item.content {
            stream.append_link(&mut header(EntryType::Symlink, *mode, 0), path, to)?;
        } else if let Some(file) = job.as_file() {
            let summing = tree.write_options.verifies.then(ChecksumBuilder::new);
            let mut content = Exact::open(file, summing, progress).map_err(Unsent::Here)?;
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
    stream.append_data(&mut header(EntryType::Regular, 0o600, 0), LAST, io::empty())?;
    stream.finish()?;
    stream.get_mut().flush()?;
    Ok(())
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    // Whose it is, and since when, is for the host to say.
    header.set_uid(0);
    header.set_gid(0);
    // Where times are kept this is what is made now: folders and symlinks.
    header.set_mtime(UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()));
    header.set_size(size);
    header
}

/// Exactly as much of a file as was announced.
struct Exact<'a> {
    file: FileJob<'a>,
    content: Box<dyn Read + 'a>,
    left: u64,
    failure: Option<io::Error>,
    summing: Option<ChecksumBuilder>,
    progress: &'a ProgressCounter,
}

impl<'a> Exact<'a> {
    fn open(file: FileJob<'a>, summing: Option<ChecksumBuilder>, progress: &'a ProgressCounter) -> Result<Self> {
        let left = file.fingerprint.size;
        Ok(Self { file, content: file.content.reader()?, left, failure: None, summing, progress })
    }

    /// Fails unless all of it was read and is in the stream, and it is what it was; returns its sum, where that is wanted.
    fn check(self, appended: io::Result<()>) -> std::result::Result<Option<Checksum>, Unsent> {
        if let Some(source) = self.failure {
            return Err(Unsent::Here(self.file.content.unreadable(source)));
        }
        appended?;
        if self.left == 0 && self.file.content.fingerprint().map_err(Unsent::Here)? == *self.file.fingerprint {
            Ok(self.summing.map(ChecksumBuilder::finish))
        } else {
            Err(Unsent::Here(self.file.content.changed()))
        }
    }
}

impl Read for Exact<'_> {
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

/// A writer whose pieces go to the network.
struct Pieces {
    to: mpsc::Sender<Bytes>,
    buffer: BytesMut,
}

impl Write for Pieces {
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
