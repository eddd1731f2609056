//! Uploads a large file in parts: several SFTP sessions write into the same temporary file.

use std::sync::Arc;

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::sync::mpsc;

use super::content::{self, MAX_QUEUED_CHUNKS};
use super::path::parent;
use super::request_error::RequestError;
use super::session::SftpSession;
use crate::transfer::disk_work::on_transfer_thread;
use crate::transfer::job::FileJob;
use crate::transfer::parts::{FilePart, PartGuard, Parts, holes};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transport::Effect;

/// Uploads a file in parts, with the open `handle` of this session and with further sessions, which
/// open the file at `path`. On return, the server has acknowledged each write, and the close of the
/// other handles.
///
/// If other users could replace the file by a symlink, which SFTP would follow, only this session
/// is used.
pub(crate) async fn transfer(
    session: &Arc<SftpSession>,
    handle: &str,
    path: &str,
    file: FileJob<'_>,
    progress: &Arc<ProgressCounter>,
) -> Result<(), RequestError> {
    let holes = holes(file.content).await?;
    if holes.contains(&true) {
        let size = FileAttributes { size: Some(file.fingerprint.size), ..FileAttributes::empty() };
        session.request(session.raw().fsetstat(handle, size)).await?;
    }
    let parts = Parts::of(file.fingerprint.size, &holes);
    let first = async {
        while let Some(taken) = parts.take_until_complete().await {
            write_one(taken.part, session, handle, file, progress).await?;
            taken.complete();
        }
        Ok::<_, RequestError>(())
    };
    let is_safe = is_protected(session, handle, path).await?;
    let helper = || async {
        if is_safe {
            // If the server refuses a further session, the other sessions send the parts.
            let _other_sessions_send_the_rest = transfer_with_helper(session, path, file, &parts, progress).await;
        }
    };
    parts.transfer(first, helper).await?;
    Ok(file.content.expect_unchanged(file.fingerprint).await?)
}

async fn transfer_with_helper(
    session: &Arc<SftpSession>,
    path: &str,
    file: FileJob<'_>,
    parts: &Parts,
    progress: &Arc<ProgressCounter>,
) -> Result<(), RequestError> {
    let operation = format!("{} (a part)", file.job.operation(&session.context));
    let session = SftpSession::open(&session.context, Effect::Changes, &operation).await?;
    let opened = session.request(session.raw().open(path, OpenFlags::WRITE, FileAttributes::empty())).await?;
    let mut written = Vec::new();
    while let Some(taken) = parts.take() {
        write_one(taken.part, &session, &opened.handle, file, progress).await?;
        written.push(taken);
    }
    // Some servers report a full disk only at the close.
    session.request(session.raw().close(opened.handle)).await?;
    written.into_iter().for_each(PartGuard::complete);
    Ok(())
}

/// Returns true if only the owner of the file and root can replace the file. The directory must
/// belong to one of them. Other users must not have write permission, or only for their own files
/// (`S_ISVTX`, see inode(7)).
async fn is_protected(session: &SftpSession, handle: &str, path: &str) -> Result<bool, RequestError> {
    const BY_OTHERS: u32 = 0o022;
    const OWN_ONLY: u32 = 0o1000;
    const ROOT: u32 = 0;
    let file = session.request(session.raw().fstat(handle)).await?.attrs;
    let folder = session.stat(parent(path)).await?.unwrap_or_else(FileAttributes::empty);
    let is_restricted = folder.permissions.is_some_and(|mode| mode & BY_OTHERS == 0 || mode & OWN_ONLY != 0);
    Ok(is_restricted && folder.uid.is_some_and(|uid| uid == ROOT || Some(uid) == file.uid))
}

async fn write_one(
    part: FilePart,
    session: &SftpSession,
    handle: &str,
    file: FileJob<'_>,
    progress: &Arc<ProgressCounter>,
) -> Result<(), RequestError> {
    let FilePart { start, length } = part;
    let (to, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
    let (content, progress) = (file.content.clone(), Arc::clone(progress));
    let sent = on_transfer_thread(move || content.send_part(start, length, &to, &progress));
    let (written, sent) = tokio::join!(content::write(session, handle, start, chunks), sent);
    // The local error contains the cause of an incomplete write.
    if written? != length {
        sent?;
        return Err(RequestError::message("the received file is incomplete"));
    }
    Ok(())
}
