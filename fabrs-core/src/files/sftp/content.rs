//! Contents on their way: many requests at a time, since each takes a round trip.

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::sync::mpsc;

use super::fault::Fault;
use super::session::Session;
use crate::files::checksum::{Checksum, ChecksumBuilder};

/// How much one request carries: what every server has to take.
const CHUNK: usize = 32 << 10;
/// How many writes are on their way at once: together as much as sshd takes in a round trip.
const WRITES: usize = 64;
/// How many reads are, for each of the files that come at once: less than what may wait here.
const READS: usize = 128;
/// How many pieces of a file may wait for the network.
pub(super) const WAITING: usize = 4;

/// Writes what comes, from a place in the file on, and returns how much it was; each write was acknowledged.
pub(super) async fn write(
    session: &Session,
    handle: &str,
    start: u64,
    from: mpsc::Receiver<Bytes>,
) -> Result<u64, Fault> {
    let chunks = stream::unfold((from, Bytes::new(), start), |(mut from, mut rest, offset)| async move {
        while rest.is_empty() {
            rest = from.recv().await?;
        }
        let chunk = rest.split_to(rest.len().min(CHUNK));
        let next = offset + chunk.len() as u64;
        Some(((offset, chunk), (from, rest, next)))
    });
    let writes = chunks.map(|(offset, chunk)| async move {
        session.ask(session.raw().write(handle, offset, chunk.to_vec())).await?;
        Ok(chunk.len() as u64)
    });
    writes.buffer_unordered(WRITES).try_fold(0, |sum, written| async move { Ok(sum + written) }).await
}

/// Reads the first `size` bytes in their order; fewer where there are no more.
pub(super) fn read<'a>(
    session: &'a Session,
    handle: &'a str,
    size: u64,
) -> impl Stream<Item = Result<Vec<u8>, Fault>> + Send + 'a {
    let chunks = (0..size).step_by(CHUNK).map(move |offset| (offset, (size - offset).min(CHUNK as u64)));
    stream::iter(chunks).map(move |(offset, length)| chunk(session, handle, offset, length)).buffered(READS)
}

/// Reads a chunk, as a whole unless the file ends in it: a server may answer less than it was asked for.
async fn chunk(session: &Session, handle: &str, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::new();
    loop {
        let missing = u32::try_from(length - all.len() as u64).unwrap_or_default();
        if missing == 0 {
            return Ok(all);
        }
        match session.ask(session.raw().read(handle, offset + all.len() as u64, missing)).await {
            // Neither bytes nor the end: it would be asked for ever.
            Ok(data) if data.data.is_empty() => {
                return Err(Fault::said("the SFTP server sent no bytes and no end of a file"));
            }
            Ok(data) if data.data.len() <= missing as usize => all.extend_from_slice(&data.data),
            Ok(_) => return Err(Fault::said("the SFTP server sent more than it was asked for")),
            Err(fault) if fault.is_end() => return Ok(all),
            Err(fault) => return Err(fault),
        }
    }
}

/// Tells whether there is anything to read.
pub(super) async fn has_any(session: &Session, handle: &str) -> Result<bool, Fault> {
    Ok(!chunk(session, handle, 0, 1).await?.is_empty())
}

/// Opens a file to read it.
pub(super) async fn open(session: &Session, path: &str) -> Result<String, Fault> {
    Ok(session.ask(session.raw().open(path, OpenFlags::READ, FileAttributes::empty())).await?.handle)
}

/// Tells whether a file has this content, by reading it.
pub(super) async fn is(session: &Session, path: &str, sum: &Checksum) -> Result<bool, Fault> {
    let handle = open(session, path).await?;
    let mut here = ChecksumBuilder::new();
    let read = read(session, &handle, sum.size).try_for_each(|chunk| {
        here.update(&chunk);
        std::future::ready(Ok(()))
    });
    read.await?;
    session.ask(session.raw().close(handle)).await?;
    Ok(here.finish() == *sum)
}
