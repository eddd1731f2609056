//! Removes files and directories by SFTP.

use super::list::list_recursively;
use super::path::join;
use super::request_error::RequestError;
use super::session::SftpSession;
use super::target::kind_of;
use crate::error::Result;
use crate::transfer::entry::{EntryKind, FileKind};
use crate::transfer::file_error::IS_A_DIRECTORY;

/// Removes the entry at a path. Returns false if the path did not exist.
pub(crate) async fn remove(session: &SftpSession, path: &str, is_recursive: bool, operation: &str) -> Result<bool> {
    try_remove(session, path.trim_end_matches('/'), is_recursive)
        .await
        .map_err(|error| error.into_error(&session.context, operation))
}

async fn try_remove(session: &SftpSession, path: &str, is_recursive: bool) -> Result<bool, RequestError> {
    let shown = session.expanded(path).await?;
    let path = session.path(&shown);
    match session.lstat(&path).await?.map(|there| kind_of(&there)) {
        None => return Ok(false),
        Some(FileKind::Directory) if !is_recursive => {
            return Err(RequestError::message(format!("{shown}{IS_A_DIRECTORY}")));
        }
        Some(FileKind::Directory) => {}
        Some(_) => {
            session.request(session.raw().remove(path)).await?;
            return Ok(true);
        }
    }
    // Entries are sorted after their directory. Remove in reverse order.
    for entry in list_recursively(session, &shown).await?.into_iter().rev() {
        let path = join(&path, crate::file_backend::sftp::path::text(entry.below.as_os_str())?);
        match entry.kind {
            EntryKind::Directory => session.request(session.raw().rmdir(path)).await?,
            EntryKind::File | EntryKind::Link(_) | EntryKind::Other => {
                session.request(session.raw().remove(path)).await?
            }
        };
    }
    session.request(session.raw().rmdir(path)).await?;
    Ok(true)
}
