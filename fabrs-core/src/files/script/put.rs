//! Scripts for one entry: upload and removal.

use super::blocks::{self, Blocks};
use super::dialog_error::{DialogError, Over};
use super::script_run::Script;
use super::talk::Talk;
use super::{losses, parts, text};
use crate::error::Result;
use crate::files::backend_error::BackendError;
use crate::files::checksum::Sha256;
use crate::files::disk_work::on_transfer_thread;
use crate::files::job::{FileJob, Job, ReplacePolicy};
use crate::files::parts::holes;
use crate::files::progress_counter::ProgressCounter;
use crate::files::transfer_context::TransferContext;
use crate::files::transfer_report::FileOutcome;
use crate::files::walk::ItemKind;
use crate::shell::ShellLineError;
use crate::transport::{Effect, random_token};

/// The maximum number of directories that one command creates.
const FOLDERS_AT_ONCE: usize = 200;
/// The maximum size in bytes of a file whose checksum is part of the script. This saves a round trip.
pub(super) const SMALL: u64 = 4 << 20;

/// Uploads one entry. Returns its path, and true if it was written.
pub(in super::super) async fn put(context: &TransferContext, job: &Job) -> Result<FileOutcome, BackendError> {
    match (&job.item.content, job.as_file()) {
        (_, Some(file)) => put_file(context, file).await,
        (ItemKind::Link(to), _) => said_of(context, job, text::link(job, to, &random_token()?)).await,
        _ => said_of(context, job, text::folder(&job.target, &job.attributes)).await,
    }
}

/// Creates directories with their parents.
pub(in super::super) async fn folders(
    context: &TransferContext,
    folders: &[String],
    operation: &str,
) -> Result<(), BackendError> {
    let script = Script { context, effect: Effect::Changes, operation };
    // The line is one argument of a program, and its length has a limit.
    for some in folders.chunks(FOLDERS_AT_ONCE) {
        let path = some.first().map(String::as_str).unwrap_or_default();
        script.run(script.command(text::folders(some), path)?).await?;
    }
    Ok(())
}

/// Removes the entry at a path. Returns false if there was none.
pub(in super::super) async fn remove(
    context: &TransferContext,
    path: &str,
    is_recursive: bool,
    operation: &str,
) -> Result<bool, BackendError> {
    let script = Script { context, effect: Effect::Changes, operation };
    let output = script.run(script.command(text::remove(path, is_recursive), path)?).await?;
    Ok(!output.stdout()?.ends_with(text::SAME))
}

async fn put_file(context: &TransferContext, file: FileJob<'_>) -> Result<FileOutcome, BackendError> {
    let shared = file.shared(context);
    let file = FileJob { content: shared.as_ref().unwrap_or(file.content), ..file };
    let operation = file.job.operation(context);
    let script = Script { context, effect: Effect::Changes, operation: &operation };
    let may_be_told = file.content.secret().is_none() && file.job.write_options.replaces == ReplacePolicy::Anything;
    let sum = if may_be_told && file.fingerprint.size <= SMALL { Some(sum(file).await) } else { None };
    let sum = sum.transpose().map_err(|error| context.error(error))?;
    let (talk, command) = script.talk(text::put(file, sum.as_deref(), &random_token()?), &file.job.shown())?;
    script.run_with(command, converse(talk, context, file)).await
}

async fn converse(mut talk: Talk, context: &TransferContext, file: FileJob<'_>) -> Result<FileOutcome, DialogError> {
    talk.begin().await?;
    talk.noise().await?;
    let mut known: Option<Blocks> = None;
    loop {
        let told = String::from_utf8_lossy(&talk.record().await?).into_owned();
        if let Some(path) = told.strip_prefix(text::DONE) {
            return Ok((path.to_owned(), true));
        } else if let Some(path) = told.strip_prefix(text::SAME) {
            return Ok((path.to_owned(), false));
        } else if let Some(there) = told.strip_prefix(text::SUM_IS) {
            let answer = if talk.unless_over(sum(file)).await? == there { "same\n" } else { "other\n" };
            talk.say(answer.into()).await?;
        } else if told == text::BLOCKS {
            let there = talk.records().await?;
            let found = if there.is_empty() {
                None
            } else {
                Some(talk.unless_over(blocks::compare(file.content, there)).await?)
            };
            known = found.filter(|found| found.kept.contains(&true));
            talk.say(if known.is_some() { "some\n" } else { "none\n" }.into()).await?;
        } else if let Some(folder) = told.strip_prefix(text::SEND_PARTS) {
            let (kept, sum) = known.take().map(|known| (known.kept, known.sum.sha256)).unzip();
            let kept = match kept {
                Some(kept) => kept,
                None => holes(file.content).await?,
            };
            let sums = async { Ok(sums(file, sum).await?) };
            let carried = parts::carry(context, file, folder, &mut talk, &kept);
            let ((), sums) = tokio::try_join!(carried, sums)?;
            talk.say(format!("done {sums}\n").into()).await?;
        } else if let Some(path) = told.strip_prefix(text::NAMES) {
            let otherwise = if file.job.called.is_none() { losses::OTHERWISE } else { "" };
            context.warn(&format!("{}{otherwise}", losses::names(&format!("`{path}`"))));
        } else if let Some(path) = told.strip_prefix(text::ACL) {
            context.warn(&losses::acl(path));
        } else if told == text::SEND {
            if file.job.write_options.expects_sums() {
                talk.say(format!("{}\n", talk.unless_over(sums(file, None)).await?).into()).await?;
            }
            let (content, fingerprint) = (file.content.clone(), file.fingerprint.clone());
            let to = talk.hush().ok_or(Over)?;
            let progress = ProgressCounter::new(context, &file.job.operation(context), fingerprint.size);
            on_transfer_thread(move || content.send(&fingerprint, &to, &progress)).await?;
        } else {
            return Err(DialogError::Over);
        }
    }
}

/// Returns the checksums of the new content, which may be `known`, and of the old content, as far as the job needs them.
async fn sums(file: FileJob<'_>, known: Option<Sha256>) -> Result<String> {
    const NOT_WANTED: &str = "-";
    let write_options = &file.job.write_options;
    let new = match known {
        Some(known) => known.to_string(),
        None if write_options.verifies => sum(file).await?,
        None => NOT_WANTED.to_owned(),
    };
    let old = match &write_options.replaces {
        ReplacePolicy::Matching(sum) => sum.sha256.to_string(),
        ReplacePolicy::Anything | ReplacePolicy::Nothing | ReplacePolicy::Link => NOT_WANTED.to_owned(),
    };
    Ok(format!("{new} {old}"))
}

pub(super) async fn sum(file: FileJob<'_>) -> Result<String> {
    Ok(file.content.sum().await?.sha256.to_string())
}

/// Runs a script that creates one entry. Returns the path, and true if the script changed anything.
async fn said_of(
    context: &TransferContext,
    job: &Job,
    line: Result<String, ShellLineError>,
) -> Result<FileOutcome, BackendError> {
    let operation = job.operation(context);
    let script = Script { context, effect: Effect::Changes, operation: &operation };
    let output = script.run(script.command(line, &job.shown())?).await?;
    Ok((job.shown(), !output.stdout()?.ends_with(text::SAME)))
}
