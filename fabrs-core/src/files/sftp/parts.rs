//! A large file in parts by several sessions, each of which writes into the file that one of them has made.

use std::sync::Arc;

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::sync::mpsc;

use super::content::{self, WAITING};
use super::fault::Fault;
use super::path::parent;
use super::session::Session;
use crate::files::disk_work::on_transfer_thread;
use crate::files::job::FileJob;
use crate::files::parts::{Part, PartGuard, Parts, holes};
use crate::files::progress_counter::ProgressCounter;
use crate::transport::Effect;

/// Writes a file in parts, by this session's `handle` and by others beside it, which open it at its `path`; each write was
/// acknowledged, and of the others also the end.
///
/// Where others can put a symlink in the place of the file, which SFTP would follow, there is only this session.
pub(super) async fn carry(
    session: &Arc<Session>,
    handle: &str,
    path: &str,
    file: FileJob<'_>,
    progress: &Arc<ProgressCounter>,
) -> Result<(), Fault> {
    let holes = holes(file.content).await?;
    if holes.contains(&true) {
        let size = FileAttributes { size: Some(file.fingerprint.size), ..FileAttributes::empty() };
        session.ask(session.raw().fsetstat(handle, size)).await?;
    }
    let parts = Parts::of(file.fingerprint.size, &holes);
    let first = async {
        while let Some(taken) = parts.take_until_complete().await {
            write_one(taken.part, session, handle, file, progress).await?;
            taken.complete();
        }
        Ok::<_, Fault>(())
    };
    let is_safe = nobody_can_swap(session, handle, path).await?;
    let help = || async {
        if is_safe {
            // Where there is no room for it, others do what it would have done.
            let _left_to_others = help(session, path, file, &parts, progress).await;
        }
    };
    parts.transfer(first, help).await?;
    Ok(file.content.expect_unchanged(file.fingerprint).await?)
}

async fn help(
    session: &Arc<Session>,
    path: &str,
    file: FileJob<'_>,
    parts: &Parts,
    progress: &Arc<ProgressCounter>,
) -> Result<(), Fault> {
    let operation = format!("{} (a part)", file.job.operation(&session.context));
    let session = Session::open(&session.context, Effect::Changes, &operation).await?;
    let opened = session.ask(session.raw().open(path, OpenFlags::WRITE, FileAttributes::empty())).await?;
    let mut written = Vec::new();
    while let Some(taken) = parts.take() {
        write_one(taken.part, &session, &opened.handle, file, progress).await?;
        written.push(taken);
    }
    // Some servers find only here that there is no room.
    session.ask(session.raw().close(opened.handle)).await?;
    written.into_iter().for_each(PartGuard::complete);
    Ok(())
}

/// Tells whether only its owner and root can put another into the place of a file: the folder is theirs, and nobody else may
/// write to it, or only to what is their own (`S_ISVTX`, see inode(7)).
async fn nobody_can_swap(session: &Session, handle: &str, path: &str) -> Result<bool, Fault> {
    const BY_OTHERS: u32 = 0o022;
    const OWN_ONLY: u32 = 0o1000;
    const ROOT: u32 = 0;
    let file = session.ask(session.raw().fstat(handle)).await?.attrs;
    let folder = session.stat(parent(path)).await?.unwrap_or_else(FileAttributes::empty);
    let is_shut = folder.permissions.is_some_and(|mode| mode & BY_OTHERS == 0 || mode & OWN_ONLY != 0);
    Ok(is_shut && folder.uid.is_some_and(|uid| uid == ROOT || Some(uid) == file.uid))
}

async fn write_one(
    part: Part,
    session: &Session,
    handle: &str,
    file: FileJob<'_>,
    progress: &Arc<ProgressCounter>,
) -> Result<(), Fault> {
    let Part { start, length } = part;
    let (to, chunks) = mpsc::channel(WAITING);
    let (content, progress) = (file.content.clone(), Arc::clone(progress));
    let sent = on_transfer_thread(move || content.send_part(start, length, &to, &progress));
    let (written, sent) = tokio::join!(content::write(session, handle, start, chunks), sent);
    // That it is too short says less than why.
    if written? != length {
        sent?;
        return Err(Fault::said("not all of it arrived"));
    }
    Ok(())
}
