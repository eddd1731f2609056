//! Downloads a file by SFTP.

use std::path::Path;

use futures::stream::TryStreamExt;
use russh_sftp::protocol::FileAttributes;

use super::content;
use super::path::text;
use super::request_error::RequestError;
use super::session::SftpSession;
use super::target::{MODE_BITS, kind_of};
use crate::error::Result;
use crate::transfer::checksum::{Checksum, ChecksumBuilder};
use crate::transfer::entry::FileKind;
use crate::transfer::file_error::{IS_A_DIRECTORY, IS_NOT_A_REGULAR_FILE, NO_FILE};
use crate::transfer::incoming_file::IncomingFile;

/// Downloads a file. Returns false if the checksum equals `known`. The file is then received for
/// the comparison, and discarded.
pub(crate) async fn get(
    session: &SftpSession,
    path: &Path,
    known: Option<&Checksum>,
    incoming_file: &IncomingFile,
    operation: &str,
) -> Result<bool> {
    let got = try_get(session, path, known, incoming_file).await;
    got.map_err(|error| {
        incoming_file.discard();
        error.into_error(&session.context, operation)
    })
}

/// Returns true if the checksum of a file on the host differs from `known`. Writes nothing.
pub(crate) async fn is_new(
    session: &SftpSession,
    path: &Path,
    known: Option<&Checksum>,
    operation: &str,
) -> Result<bool> {
    let compared = async {
        let (path, there) = found(session, path).await?;
        match known {
            Some(known) if there.size == Some(known.size) => Ok(!content::has_checksum(session, &path, known).await?),
            _ => Ok(true),
        }
    };
    compared.await.map_err(|error: RequestError| error.into_error(&session.context, operation))
}

/// Returns the server path and the attributes of a regular file.
async fn found(session: &SftpSession, path: &Path) -> Result<(String, FileAttributes), RequestError> {
    let shown = session.expanded(text(path.as_os_str())?).await?;
    let path = session.path(&shown);
    // Check before opening: the server would block on a pipe without a writer.
    let there = session.stat(&path).await?.ok_or_else(|| RequestError::message(format!("{NO_FILE}{shown}")))?;
    match kind_of(&there) {
        FileKind::File => Ok((path, there)),
        FileKind::Directory => Err(RequestError::message(format!("{shown}{IS_A_DIRECTORY}"))),
        FileKind::Symlink | FileKind::Other => Err(RequestError::message(format!("{shown}{IS_NOT_A_REGULAR_FILE}"))),
    }
}

async fn try_get(
    session: &SftpSession,
    path: &Path,
    known: Option<&Checksum>,
    incoming_file: &IncomingFile,
) -> Result<bool, RequestError> {
    let shown = path.display().to_string();
    let (path, there) = found(session, path).await?;
    let size = there.size.ok_or_else(|| RequestError::message("the SFTP server sent no file size"))?;
    let handle = content::open(session, &path).await?;
    if size == 0 && content::has_any(session, &handle).await? {
        return Err(RequestError::message(format!(
            "{shown} has no size, like the files in /proc, and cannot be downloaded over SFTP"
        )));
    }
    incoming_file.begin(there.permissions.map(|mode| mode & MODE_BITS), size)?;
    let mut there = ChecksumBuilder::new();
    let is_compared = known.is_some_and(|known| known.size == size);
    // Write directly in the task that reads the channel, as the output queue does for a slow
    // terminal. Data not yet on the disk is in the page cache.
    let taken = content::read(session, &handle, size).try_for_each(|chunk| {
        if is_compared {
            there.update(&chunk);
        }
        std::future::ready(incoming_file.write(&chunk).map_err(RequestError::from))
    });
    taken.await?;
    session.request(session.raw().close(handle)).await?;
    if is_compared && known == Some(&there.finish()) {
        incoming_file.discard();
        return Ok(false);
    }
    Ok(true)
}
