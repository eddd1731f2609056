//! Removing by SFTP.

use super::fault::Fault;
use super::list::all_in;
use super::path::join;
use super::session::Session;
use super::target::kind_of;
use crate::error::Result;
use crate::files::entry::{EntryKind, FileKind};
use crate::files::file_error::IS_A_FOLDER;

/// Removes what is at a path, and tells whether anything was.
pub(in super::super) async fn remove(
    session: &Session,
    path: &str,
    is_recursive: bool,
    operation: &str,
) -> Result<bool> {
    try_remove(session, path.trim_end_matches('/'), is_recursive)
        .await
        .map_err(|fault| fault.into_error(&session.context, operation))
}

async fn try_remove(session: &Session, path: &str, is_recursive: bool) -> Result<bool, Fault> {
    let shown = session.expanded(path).await?;
    let path = session.path(&shown);
    match session.lstat(&path).await?.map(|there| kind_of(&there)) {
        None => return Ok(false),
        Some(FileKind::Folder) if !is_recursive => return Err(Fault::said(format!("{shown}{IS_A_FOLDER}"))),
        Some(FileKind::Folder) => {}
        Some(_) => {
            session.ask(session.raw().remove(path)).await?;
            return Ok(true);
        }
    }
    // What is in a folder comes behind it, and goes before.
    for entry in all_in(session, &shown).await?.into_iter().rev() {
        let path = join(&path, super::path::text(entry.below.as_os_str())?);
        match entry.kind {
            EntryKind::Folder => session.ask(session.raw().rmdir(path)).await?,
            EntryKind::File | EntryKind::Link(_) | EntryKind::Other => session.ask(session.raw().remove(path)).await?,
        };
    }
    session.ask(session.raw().rmdir(path)).await?;
    Ok(true)
}
