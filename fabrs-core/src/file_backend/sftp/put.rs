//! Uploads an entry by SFTP, for hosts without a shell.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use russh_sftp::protocol::FileAttributes;
use tokio::sync::mpsc;

use super::content::{self, MAX_QUEUED_CHUNKS};
use super::parts;
use super::path::{parent, text};
use super::request_error::RequestError;
use super::session::SftpSession;
use super::stale_files::remove_stale;
use super::target::{MODE_BITS, UploadTarget, kind_of};
use super::temporary::TemporaryFile;
use crate::error::Result;
use crate::transfer::content::UploadContent;
use crate::transfer::disk_work::on_transfer_thread;
use crate::transfer::entry::FileKind;
use crate::transfer::file_error::{CHANGED_BY_ANOTHER_PROCESS, IS_A_DIRECTORY, IS_NOT_A_DIRECTORY, IS_NOT_A_SYMLINK};
use crate::transfer::job::{Attributes, FileJob, Job, LARGE_FILE_SIZE, NEW_DIRECTORY_MODE, ReplacePolicy, Tree};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::report::FileOutcome;
use crate::transfer::walk::ItemKind;

/// The maximum number of concurrent lookups of targets.
const MAX_CONCURRENT_CHECKS: usize = 64;

/// Uploads an entry. Returns the path, and true if the entry was written.
pub(crate) async fn put(session: &Arc<SftpSession>, job: &Job) -> Result<FileOutcome> {
    let put = async {
        let target = text(&job.target)?;
        match (&job.item.content, job.as_file()) {
            (_, Some(file)) => put_file(session, file, target).await,
            (ItemKind::Link(to), _) => put_link(session, job, target, to).await,
            _ => put_folder(session, job, target).await,
        }
    };
    put.await.map_err(|error| error.into_error(&session.context, &job.operation(&session.context)))
}

/// Checks all targets of a tree before the upload: an obstacle leaves the tree unchanged.
pub(crate) async fn check_targets(session: &Arc<SftpSession>, tree: &Tree) -> Result<()> {
    let checks: Vec<_> = tree.jobs.iter().map(|job| check_target(session, job).boxed()).collect();
    let mut checks = stream::iter(checks).buffer_unordered(MAX_CONCURRENT_CHECKS);
    while let Some(checked) = checks.next().await {
        checked.map_err(|error| error.into_error(&session.context, &tree.operation))?;
    }
    Ok(())
}

async fn check_target(session: &SftpSession, job: &Job) -> Result<(), RequestError> {
    let shown = session.expanded(text(&job.target)?).await?;
    let there = match session.request(session.raw().lstat(session.path(&shown))).await {
        Ok(found) => kind_of(&found.attrs),
        // A missing target is not an obstacle. The upload reports an unreadable target.
        Err(RequestError::Rejected(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    match (job.is_directory(), there) {
        (false, FileKind::Directory) => Err(RequestError::message(format!("{shown}{IS_A_DIRECTORY}"))),
        (true, FileKind::File | FileKind::Other) => Err(RequestError::message(format!("{shown}{IS_NOT_A_DIRECTORY}"))),
        _ => Ok(()),
    }
}

/// Creates directories with their parents.
pub(crate) async fn create_directories(session: &SftpSession, directories: &[String], operation: &str) -> Result<()> {
    for folder in directories {
        let made = create_directory(session, folder).await;
        made.map_err(|error| error.into_error(&session.context, operation))?;
    }
    Ok(())
}

async fn put_file(session: &Arc<SftpSession>, file: FileJob<'_>, target: &str) -> Result<FileOutcome, RequestError> {
    let shared = file.shared(&session.context);
    let file = FileJob { content: shared.as_ref().unwrap_or(file.content), ..file };
    let FileJob { job, content, fingerprint } = file;
    let ids = OwnerIds::of(&job.attributes)?;
    let target = session.target(target, text(&job.item.name())?).await?;
    if let Some(old) = &target.old
        && old.size == Some(fingerprint.size)
        && kind_of(old) == FileKind::File
        && is_same(session, &target.path, content).await?
    {
        let changed = change(session, &target.path, old, ids, job.attributes.mode).await?;
        return Ok((target.shown, changed));
    }
    check_write(session, job, &target)?;
    let folder = parent(&target.path);
    let mut temporary = TemporaryFile::create(session, folder).await?;
    let handle = temporary.handle().to_owned();
    let (filled, ()) =
        tokio::join!(fill(session, &mut temporary, file, &target, ids), remove_stale(session, folder, &handle));
    match filled {
        Ok(()) => temporary.rename_to(&target.path).await?,
        Err(error) => {
            let error = explained(session, error, &target, fingerprint.size).await;
            temporary.discard().await;
            return Err(error);
        }
    }
    Ok((target.shown, true))
}

/// Rejects options of a job that SFTP does not support.
pub(crate) fn check_write(session: &SftpSession, job: &Job, target: &UploadTarget) -> Result<(), RequestError> {
    if target.old.is_some() && !session.supports_replace {
        return Err(RequestError::message("the SFTP server cannot replace a file atomically"));
    }
    if job.write_options.needs_shell() {
        let text = "writing in place, validation and backups need a shell, and the host has no shell";
        return Err(RequestError::message(text));
    }
    Ok(())
}

/// Returns true if the replace policy allows replacing the target.
async fn may_replace(
    session: &SftpSession,
    target: &UploadTarget,
    replaces: &ReplacePolicy,
) -> Result<bool, RequestError> {
    match (&target.old, replaces) {
        (_, ReplacePolicy::Anything | ReplacePolicy::Link) | (None, ReplacePolicy::Nothing) => Ok(true),
        (Some(old), ReplacePolicy::Matching(before)) => {
            Ok(old.size == Some(before.size) && content::has_checksum(session, &target.path, before).await?)
        }
        (Some(_), ReplacePolicy::Nothing) | (None, ReplacePolicy::Matching(_)) => Ok(false),
    }
}

/// Returns true if a file has the same content. An unreadable file counts as different.
pub(crate) async fn is_same(session: &SftpSession, path: &str, content: &UploadContent) -> Result<bool, RequestError> {
    match content::has_checksum(session, path, &content.sum().await?).await {
        Err(RequestError::Rejected(_)) => Ok(false),
        result => result,
    }
}

/// Sets the owner and the mode of a file, and returns true if they have changed.
async fn change(
    session: &SftpSession,
    path: &str,
    old: &FileAttributes,
    ids: OwnerIds,
    mode: Option<u32>,
) -> Result<bool, RequestError> {
    let owner = ids.over(old).filter(|owner| (owner.uid, owner.gid) != (old.uid, old.gid));
    let mode = mode.filter(|mode| old.permissions.map(|old| old & MODE_BITS) != Some(*mode));
    let mode = mode.map(|mode| FileAttributes { permissions: Some(mode), ..FileAttributes::empty() });
    let mut changed = false;
    // A change of the owner clears bits of the mode.
    for wanted in [owner, mode].into_iter().flatten() {
        session.request(session.raw().setstat(path, wanted)).await?;
        changed = true;
    }
    Ok(changed)
}

/// Writes the content to a temporary file, verifies it, and sets owner and mode.
async fn fill(
    session: &Arc<SftpSession>,
    temporary: &mut TemporaryFile,
    file: FileJob<'_>,
    target: &UploadTarget,
    ids: OwnerIds,
) -> Result<(), RequestError> {
    let progress = ProgressCounter::new(&session.context, &file.job.operation(&session.context), file.fingerprint.size);
    let handle = temporary.handle();
    if file.fingerprint.size < LARGE_FILE_SIZE {
        write(session, handle, file, &progress).await?;
    } else {
        parts::transfer(session, handle, temporary.path(), file, &progress).await?;
    }
    let there = session.request(session.raw().fstat(handle)).await?.attrs;
    if there.size.is_some_and(|size| size != file.fingerprint.size) {
        return Err(RequestError::message("the received file is incomplete"));
    }
    let write_options = &file.job.write_options;
    if write_options.flushes {
        if !session.supports_fsync {
            return Err(RequestError::message("the SFTP server cannot flush a file to disk"));
        }
        session.request(session.raw().fsync(handle)).await?;
    }
    if write_options.verifies && !is_same(session, temporary.path(), file.content).await? {
        return Err(RequestError::message("the received content differs from the sent content"));
    }
    if !may_replace(session, target, &write_options.replaces).await? {
        return Err(RequestError::message(format!("{}{CHANGED_BY_ANOTHER_PROCESS}", target.shown)));
    }
    set_owner(session, handle, &there, target.old.as_ref(), ids).await?;
    let kept = target.old.as_ref().and_then(|old| old.permissions);
    let mode = file.job.attributes.mode.or(kept).unwrap_or(file.new_mode()) & MODE_BITS;
    let mode = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
    // The mode is set last, so no other user can read the unfinished file.
    session.request(session.raw().fsetstat(handle, mode)).await?;
    temporary.close().await
}

/// Writes the content over one session.
async fn write(
    session: &SftpSession,
    handle: &str,
    file: FileJob<'_>,
    progress: &Arc<ProgressCounter>,
) -> Result<(), RequestError> {
    let (sender, chunks) = mpsc::channel(MAX_QUEUED_CHUNKS);
    let (source, fingerprint, progress) = (file.content.clone(), file.fingerprint.clone(), Arc::clone(progress));
    let sent = on_transfer_thread(move || source.send(&fingerprint, &sender, &progress));
    let (written, sent) = tokio::join!(content::write(session, handle, 0, chunks), sent);
    let written = written?;
    // The local error explains more than an incomplete file.
    sent?;
    if written == file.fingerprint.size {
        Ok(())
    } else {
        Err(RequestError::message("the received file is incomplete"))
    }
}

/// Sets the owner of a new file: the requested one, or that of the replaced file if the login may
/// set it.
async fn set_owner(
    session: &SftpSession,
    handle: &str,
    new: &FileAttributes,
    old: Option<&FileAttributes>,
    ids: OwnerIds,
) -> Result<(), RequestError> {
    let is_requested = ids.are_given();
    let wanted = if is_requested { ids.over(new) } else { old.and_then(|old| OwnerIds::default().over(old)) };
    let Some(wanted) = wanted.filter(|wanted| (wanted.uid, wanted.gid) != (new.uid, new.gid)) else { return Ok(()) };
    match session.request(session.raw().fsetstat(handle, wanted)).await {
        Err(RequestError::Rejected(_)) if !is_requested => Ok(()),
        result => result.map(drop),
    }
}

/// Replaces an error without a reason by "No space left on device", if the free space is too small.
async fn explained(session: &SftpSession, error: RequestError, target: &UploadTarget, size: u64) -> RequestError {
    if !error.is_unexplained() || !session.supports_statvfs {
        return error;
    }
    match session.request(session.raw().statvfs(parent(&target.path))).await {
        Ok(room) if room.blocks_avail.saturating_mul(room.fragment_size) < size => {
            RequestError::message("No space left on device")
        }
        _ => error,
    }
}

/// Creates a symlink, and replaces an existing one atomically.
async fn put_link(session: &Arc<SftpSession>, job: &Job, target: &str, to: &Path) -> Result<FileOutcome, RequestError> {
    let (target, is_written) = plan_link(session, job, target, to).await?;
    if is_written {
        let path = session.path(&target);
        TemporaryFile::link(session, parent(&path), text(to.as_os_str())?).await?.rename_to(&path).await?;
    }
    Ok((target, is_written))
}

/// Returns the path of a symlink, and true if an upload would write the symlink.
pub(crate) async fn plan_link(
    session: &SftpSession,
    job: &Job,
    target: &str,
    to: &Path,
) -> Result<FileOutcome, RequestError> {
    let (target, to) = (session.expanded(target).await?, text(to.as_os_str())?);
    let path = session.path(&target);
    let there = session.lstat(&path).await?.map(|there| kind_of(&there));
    match there {
        Some(FileKind::Directory) => return Err(RequestError::message(format!("{target}{IS_A_DIRECTORY}"))),
        Some(FileKind::Symlink) => {
            let link = session.request(session.raw().readlink(path.as_str())).await?;
            if link.files.first().is_some_and(|link| link.filename == to) {
                return Ok((target, false));
            }
        }
        Some(_) if job.write_options.replaces == ReplacePolicy::Link => {
            return Err(RequestError::message(format!("{target}{IS_NOT_A_SYMLINK}")));
        }
        Some(_) if !session.supports_replace => {
            return Err(RequestError::message("the SFTP server cannot replace a file atomically"));
        }
        Some(_) | None => {}
    }
    if job.attributes.gives_owner() {
        return Err(RequestError::message("SFTP cannot set the owner of a symlink"));
    }
    Ok((target, true))
}

/// Creates a directory with attributes.
async fn put_folder(session: &SftpSession, job: &Job, target: &str) -> Result<FileOutcome, RequestError> {
    let ids = OwnerIds::of(&job.attributes)?;
    let is_new = create_directory(session, target).await?;
    let path = session.path(&session.expanded(target).await?);
    let is_changed = match session.stat(&path).await? {
        Some(there) => change(session, &path, &there, ids, job.attributes.mode).await?,
        None => false,
    };
    Ok((target.to_owned(), is_new || is_changed))
}

/// Creates a directory with all parents, and returns true if it was missing.
async fn create_directory(session: &SftpSession, folder: &str) -> Result<bool, RequestError> {
    let mut missing = Vec::new();
    let folder = session.path(folder);
    let mut above = folder.as_str();
    loop {
        match session.stat(above).await? {
            Some(there) if kind_of(&there) == FileKind::Directory => break,
            Some(_) => return Err(RequestError::message(format!("{above}{IS_NOT_A_DIRECTORY}"))),
            None => missing.push(above),
        }
        if above == parent(above) {
            break;
        }
        above = parent(above);
    }
    let is_new = !missing.is_empty();
    for path in missing.into_iter().rev() {
        let attributes = FileAttributes { permissions: Some(NEW_DIRECTORY_MODE), ..FileAttributes::empty() };
        let made = session.request(session.raw().mkdir(path, attributes)).await;
        if let Err(error) = made
            // Another process may have created it.
            && session.stat(path).await?.is_none()
        {
            return Err(error);
        }
    }
    Ok(is_new)
}

/// The new owner and group of a file, as numbers: SFTP has no names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OwnerIds {
    user: Option<u32>,
    group: Option<u32>,
}

impl OwnerIds {
    pub(crate) fn of(attributes: &Attributes) -> Result<Self, RequestError> {
        let id = |name: &Option<Arc<str>>| match name.as_deref().map(|name| (name, name.parse())) {
            None => Ok(None),
            Some((_, Ok(id))) => Ok(Some(id)),
            Some((name, Err(_))) => {
                Err(RequestError::message(format!("SFTP has no user and group names: use the numeric ID of `{name}`")))
            }
        };
        Ok(Self { user: id(&attributes.owner)?, group: id(&attributes.group)? })
    }

    /// Returns true if a file has this owner and group.
    pub(crate) fn are_those_of(self, file: &FileAttributes) -> bool {
        self.over(file).is_none_or(|ids| (ids.uid, ids.gid) == (file.uid, file.gid))
    }

    fn are_given(self) -> bool {
        self.user.is_some() || self.group.is_some()
    }

    /// Returns both numbers. A missing number is that of the file, since SFTP sets both together.
    fn over(self, file: &FileAttributes) -> Option<FileAttributes> {
        let (user, group) = (self.user.or(file.uid)?, self.group.or(file.gid)?);
        Some(FileAttributes { uid: Some(user), gid: Some(group), ..FileAttributes::empty() })
    }
}
