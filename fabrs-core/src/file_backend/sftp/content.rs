//! Reads and writes file contents over SFTP, with many concurrent requests.

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::sync::mpsc;

use super::request_error::RequestError;
use super::session::SftpSession;
use crate::transfer::checksum::{Checksum, ChecksumBuilder};

/// The size of a request, in bytes. Every server must accept this size.
const CHUNK_SIZE: usize = 32 << 10;
/// The maximum number of concurrent writes: together as much as sshd reads in a round trip.
const MAX_CONCURRENT_WRITES: usize = 64;
/// The maximum number of concurrent reads of a file. The files of a transfer together stay below
/// the limit of unread bytes.
const MAX_CONCURRENT_READS: usize = 128;
/// The maximum number of chunks of a file queued for the network.
pub(crate) const MAX_QUEUED_CHUNKS: usize = 4;

/// Writes chunks to a file from the offset `start` on. Returns the number of acknowledged bytes.
pub(crate) async fn write(
    session: &SftpSession,
    handle: &str,
    start: u64,
    from: mpsc::Receiver<Bytes>,
) -> Result<u64, RequestError> {
    let chunks = stream::unfold((from, Bytes::new(), start), |(mut from, mut rest, offset)| async move {
        while rest.is_empty() {
            rest = from.recv().await?;
        }
        let chunk = rest.split_to(rest.len().min(CHUNK_SIZE));
        let next = offset + chunk.len() as u64;
        Some(((offset, chunk), (from, rest, next)))
    });
    let writes = chunks.map(|(offset, chunk)| async move {
        session.request(session.raw().write(handle, offset, chunk.to_vec())).await?;
        Ok(chunk.len() as u64)
    });
    writes.buffer_unordered(MAX_CONCURRENT_WRITES).try_fold(0, |sum, written| async move { Ok(sum + written) }).await
}

/// Reads the first `size` bytes of a file in order, or fewer if the file is shorter.
pub(crate) fn read<'a>(
    session: &'a SftpSession,
    handle: &'a str,
    size: u64,
) -> impl Stream<Item = Result<Vec<u8>, RequestError>> + Send + 'a {
    let chunks = (0..size).step_by(CHUNK_SIZE).map(move |offset| (offset, (size - offset).min(CHUNK_SIZE as u64)));
    stream::iter(chunks)
        .map(move |(offset, length)| chunk(session, handle, offset, length))
        .buffered(MAX_CONCURRENT_READS)
}

/// Reads a chunk. Repeats short reads, which SFTP allows, until the chunk is complete or the file
/// ends.
async fn chunk(session: &SftpSession, handle: &str, offset: u64, length: u64) -> Result<Vec<u8>, RequestError> {
    let mut all = Vec::new();
    loop {
        let missing = u32::try_from(length - all.len() as u64).unwrap_or_default();
        if missing == 0 {
            return Ok(all);
        }
        match session.request(session.raw().read(handle, offset + all.len() as u64, missing)).await {
            // Without data and without the end of the file, the loop would be endless.
            Ok(data) if data.data.is_empty() => {
                return Err(RequestError::message("the SFTP server sent neither data nor the end of the file"));
            }
            Ok(data) if data.data.len() <= missing as usize => all.extend_from_slice(&data.data),
            Ok(_) => return Err(RequestError::message("the SFTP server sent more bytes than requested")),
            Err(error) if error.is_end() => return Ok(all),
            Err(error) => return Err(error),
        }
    }
}

/// Returns true for a file with at least a byte.
pub(crate) async fn has_any(session: &SftpSession, handle: &str) -> Result<bool, RequestError> {
    Ok(!chunk(session, handle, 0, 1).await?.is_empty())
}

/// Opens a file for reading, and returns the handle.
pub(crate) async fn open(session: &SftpSession, path: &str) -> Result<String, RequestError> {
    Ok(session.request(session.raw().open(path, OpenFlags::READ, FileAttributes::empty())).await?.handle)
}

/// Returns true if a file has this checksum. Reads the whole file.
pub(crate) async fn has_checksum(session: &SftpSession, path: &str, sum: &Checksum) -> Result<bool, RequestError> {
    let handle = open(session, path).await?;
    let mut here = ChecksumBuilder::new();
    let read = read(session, &handle, sum.size).try_for_each(|chunk| {
        here.update(&chunk);
        std::future::ready(Ok(()))
    });
    read.await?;
    session.request(session.raw().close(handle)).await?;
    Ok(here.finish() == *sum)
}
