//! Compares an entry with the host in a dry run, by SFTP.

use std::sync::Arc;

use super::path::text;
use super::put::{OwnerIds, check_write, is_same, plan_link};
use super::request_error::RequestError;
use super::session::SftpSession;
use super::target::{MODE_BITS, kind_of};
use crate::error::Result;
use crate::transfer::entry::FileKind;
use crate::transfer::file_error::IS_NOT_A_DIRECTORY;
use crate::transfer::job::{FileJob, Job};
use crate::transfer::report::FileOutcome;
use crate::transfer::walk::ItemKind;

/// Compares an entry with the host. Returns the path, and true if an upload would write it.
pub(crate) async fn plan(session: &Arc<SftpSession>, job: &Job) -> Result<FileOutcome> {
    let plan = async {
        let target = text(&job.target)?;
        match (&job.item.content, job.as_file()) {
            (_, Some(file)) => plan_file(session, file, target).await,
            (ItemKind::Link(to), _) => plan_link(session, job, target, to).await,
            _ => plan_folder(session, job, target).await,
        }
    };
    plan.await.map_err(|error| error.into_error(&session.context, &format!("compare {}", job.shown())))
}

async fn plan_file(session: &Arc<SftpSession>, file: FileJob<'_>, target: &str) -> Result<FileOutcome, RequestError> {
    let FileJob { job, content, fingerprint } = file;
    let ids = OwnerIds::of(&job.attributes)?;
    let target = match session.target(target, text(&job.item.name())?).await {
        // The upload of a tree creates the directories.
        Err(error) if job.item.below.is_some() && error.has_no_directory() => {
            return Ok((session.expanded(target).await?, true));
        }
        target => target?,
    };
    let Some(old) = &target.old else {
        check_write(session, job, &target)?;
        return Ok((target.shown, true));
    };
    let is_alike = old.size == Some(fingerprint.size) && kind_of(old) == FileKind::File;
    if !is_alike || !is_same(session, &target.path, content).await? {
        check_write(session, job, &target)?;
        return Ok((target.shown, true));
    }
    let has_mode = job.attributes.mode.is_none_or(|mode| old.permissions.map(|old| old & MODE_BITS) == Some(mode));
    Ok((target.shown, !(has_mode && ids.are_those_of(old))))
}

async fn plan_folder(session: &SftpSession, job: &Job, target: &str) -> Result<FileOutcome, RequestError> {
    let ids = OwnerIds::of(&job.attributes)?;
    let shown = session.expanded(target).await?;
    let Some(there) = session.stat(&session.path(&shown)).await? else { return Ok((shown, true)) };
    if kind_of(&there) != FileKind::Directory {
        return Err(RequestError::message(format!("{shown}{IS_NOT_A_DIRECTORY}")));
    }
    let has_mode = job.attributes.mode.is_none_or(|mode| there.permissions.map(|old| old & MODE_BITS) == Some(mode));
    Ok((shown, !(has_mode && ids.are_those_of(&there))))
}
