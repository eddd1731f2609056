//! Getting a file by SFTP.

use std::path::Path;

use futures::stream::TryStreamExt;
use russh_sftp::protocol::FileAttributes;

use super::content;
use super::fault::Fault;
use super::path::text;
use super::session::Session;
use super::target::{MODE, kind_of};
use crate::error::Result;
use crate::files::checksum::{Checksum, ChecksumBuilder};
use crate::files::entry::FileKind;
use crate::files::file_error::{IS_A_FOLDER, NO_FILE, NO_REGULAR};
use crate::files::incoming_file::IncomingFile;

/// Lets one file arrive, and tells whether it has: one that is the same as that which is `known` here has to come to be
/// compared, and is given up.
pub(in super::super) async fn get(
    session: &Session,
    path: &Path,
    known: Option<&Checksum>,
    incoming_file: &IncomingFile,
    operation: &str,
) -> Result<bool> {
    let got = try_get(session, path, known, incoming_file).await;
    got.map_err(|fault| {
        incoming_file.discard();
        fault.into_error(&session.context, operation)
    })
}

/// Tells whether a file of the host differs from the content that is `known` here; nothing is written.
pub(in super::super) async fn is_new(
    session: &Session,
    path: &Path,
    known: Option<&Checksum>,
    operation: &str,
) -> Result<bool> {
    let compared = async {
        let (path, there) = found(session, path).await?;
        match known {
            Some(known) if there.size == Some(known.size) => Ok(!content::is(session, &path, known).await?),
            _ => Ok(true),
        }
    };
    compared.await.map_err(|fault: Fault| fault.into_error(&session.context, operation))
}

/// Returns the path of a regular file for the server, with its attributes.
async fn found(session: &Session, path: &Path) -> Result<(String, FileAttributes), Fault> {
    let shown = session.expanded(text(path.as_os_str())?).await?;
    let path = session.path(&shown);
    // Looked at first: a pipe would keep the server waiting for who writes to it.
    let there = session.stat(&path).await?.ok_or_else(|| Fault::said(format!("{NO_FILE}{shown}")))?;
    match kind_of(&there) {
        FileKind::File => Ok((path, there)),
        FileKind::Folder => Err(Fault::said(format!("{shown}{IS_A_FOLDER}"))),
        FileKind::Symlink | FileKind::Other => Err(Fault::said(format!("{shown}{NO_REGULAR}"))),
    }
}

async fn try_get(
    session: &Session,
    path: &Path,
    known: Option<&Checksum>,
    incoming_file: &IncomingFile,
) -> Result<bool, Fault> {
    let shown = path.display().to_string();
    let (path, there) = found(session, path).await?;
    let size = there.size.ok_or_else(|| Fault::said("the SFTP server does not say how large it is"))?;
    let handle = content::open(session, &path).await?;
    if size == 0 && content::has_any(session, &handle).await? {
        return Err(Fault::said(format!("{shown} has no size, as what the system makes up, and can't be got whole")));
    }
    incoming_file.begin(there.permissions.map(|mode| mode & MODE), size)?;
    let mut there = ChecksumBuilder::new();
    let is_compared = known.is_some_and(|known| known.size == size);
    // Written while others come, as the spool of a slow terminal is: what waits for the disk is in the system's memory.
    let taken = content::read(session, &handle, size).try_for_each(|chunk| {
        if is_compared {
            there.update(&chunk);
        }
        std::future::ready(incoming_file.write(&chunk).map_err(Fault::from))
    });
    taken.await?;
    session.ask(session.raw().close(handle)).await?;
    if is_compared && known == Some(&there.finish()) {
        incoming_file.discard();
        return Ok(false);
    }
    Ok(true)
}
