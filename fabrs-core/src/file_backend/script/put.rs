//! Uploads and removes an entry with a script.

use super::blocks::{self, Blocks};
use super::dialog_error::{DialogError, ScriptEnded};
use super::script_dialog::ScriptDialog;
use super::script_run::ScriptRun;
use super::{metadata_warnings, parts, text};
use crate::error::Result;
use crate::shell::ShellLineError;
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Sha256;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::on_transfer_thread;
use crate::transfer::job::{FileJob, Job, ReplacePolicy};
use crate::transfer::parts::holes;
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::report::FileOutcome;
use crate::transfer::walk::ItemKind;
use crate::transport::{Effect, random_token};

/// The maximum number of directories per command.
const MAX_DIRECTORIES_PER_COMMAND: usize = 200;
/// The maximum size in bytes of a file with a checksum in the script, to save a round trip.
pub(crate) const MAX_EMBEDDED_CHECKSUM_SIZE: u64 = 4 << 20;

/// Uploads an entry. Returns the path, and true if the entry was written.
pub(crate) async fn put(context: &TransferContext, job: &Job) -> Result<FileOutcome, BackendError> {
    match (&job.item.content, job.as_file()) {
        (_, Some(file)) => put_file(context, file).await,
        (ItemKind::Link(to), _) => run_entry_script(context, job, text::link(job, to, &random_token()?)).await,
        _ => run_entry_script(context, job, text::folder(&job.target, &job.attributes)).await,
    }
}

/// Creates directories and their missing parents.
pub(crate) async fn create_directories(
    context: &TransferContext,
    directories: &[String],
    operation: &str,
) -> Result<(), BackendError> {
    let script = ScriptRun { context, effect: Effect::Changes, operation };
    // The script is an argument of a program, and the length of an argument is limited.
    for some in directories.chunks(MAX_DIRECTORIES_PER_COMMAND) {
        let path = some.first().map(String::as_str).unwrap_or_default();
        script.run(script.command(text::directories(some), path)?).await?;
    }
    Ok(())
}

/// Removes the entry at a path. Returns false if the path did not exist.
pub(crate) async fn remove(
    context: &TransferContext,
    path: &str,
    is_recursive: bool,
    operation: &str,
) -> Result<bool, BackendError> {
    let script = ScriptRun { context, effect: Effect::Changes, operation };
    let output = script.run(script.command(text::remove(path, is_recursive), path)?).await?;
    Ok(!output.stdout()?.ends_with(text::SAME))
}

async fn put_file(context: &TransferContext, file: FileJob<'_>) -> Result<FileOutcome, BackendError> {
    let shared = file.shared(context);
    let file = FileJob { content: shared.as_ref().unwrap_or(file.content), ..file };
    let operation = file.job.operation(context);
    let script = ScriptRun { context, effect: Effect::Changes, operation: &operation };
    let may_embed_checksum =
        file.content.secret().is_none() && file.job.write_options.replaces == ReplacePolicy::Anything;
    let sum = if may_embed_checksum && file.fingerprint.size <= MAX_EMBEDDED_CHECKSUM_SIZE {
        Some(sum(file).await)
    } else {
        None
    };
    let sum = sum.transpose().map_err(|error| context.error(error))?;
    let (dialog, command) = script.dialog(text::put(file, sum.as_deref(), &random_token()?), &file.job.shown())?;
    script.run_with(command, run_protocol(dialog, context, file)).await
}

async fn run_protocol(
    mut dialog: ScriptDialog,
    context: &TransferContext,
    file: FileJob<'_>,
) -> Result<FileOutcome, DialogError> {
    dialog.send_preamble().await?;
    dialog.skip_banner().await?;
    let mut known: Option<Blocks> = None;
    loop {
        let answer = String::from_utf8_lossy(&dialog.read_record().await?).into_owned();
        if let Some(path) = answer.strip_prefix(text::DONE) {
            return Ok((path.to_owned(), true));
        } else if let Some(path) = answer.strip_prefix(text::SAME) {
            return Ok((path.to_owned(), false));
        } else if let Some(there) = answer.strip_prefix(text::SUM_IS) {
            let reply = if dialog.while_running(sum(file)).await? == there { "same\n" } else { "other\n" };
            dialog.send(reply.into()).await?;
        } else if answer == text::BLOCKS {
            let there = dialog.read_records().await?;
            let found = if there.is_empty() {
                None
            } else {
                Some(dialog.while_running(blocks::compare(file.content, there)).await?)
            };
            known = found.filter(|found| found.kept.contains(&true));
            dialog.send(if known.is_some() { "some\n" } else { "none\n" }.into()).await?;
        } else if let Some(folder) = answer.strip_prefix(text::SEND_PARTS) {
            let (kept, sum) = known.take().map(|known| (known.kept, known.sum.sha256)).unzip();
            let kept = match kept {
                Some(kept) => kept,
                None => holes(file.content).await?,
            };
            let sums = async { Ok(sums(file, sum).await?) };
            let transferred = parts::transfer(context, file, folder, &mut dialog, &kept);
            let ((), sums) = tokio::try_join!(transferred, sums)?;
            dialog.send(format!("done {sums}\n").into()).await?;
        } else if let Some(path) = answer.strip_prefix(text::HARD_LINKS) {
            let hint = if file.job.description.is_none() { metadata_warnings::IN_PLACE_HINT } else { "" };
            context.warn(&format!("{}{hint}", metadata_warnings::hard_links(&format!("`{path}`"))));
        } else if let Some(path) = answer.strip_prefix(text::ACL) {
            context.warn(&metadata_warnings::acl(path));
        } else if answer == text::SEND {
            if file.job.write_options.expects_sums() {
                dialog.send(format!("{}\n", dialog.while_running(sums(file, None)).await?).into()).await?;
            }
            let (content, fingerprint) = (file.content.clone(), file.fingerprint.clone());
            let to = dialog.take_stdin().ok_or(ScriptEnded)?;
            let progress = ProgressCounter::new(context, &file.job.operation(context), fingerprint.size);
            on_transfer_thread(move || content.send(&fingerprint, &to, &progress)).await?;
        } else {
            return Err(DialogError::ScriptEnded);
        }
    }
}

/// Returns the checksums required by the job: of the new content, which may be `known`, and of the
/// old content.
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

pub(crate) async fn sum(file: FileJob<'_>) -> Result<String> {
    Ok(file.content.sum().await?.sha256.to_string())
}

/// Runs a script to create an entry. Returns the path, and true if the host was changed.
async fn run_entry_script(
    context: &TransferContext,
    job: &Job,
    line: Result<String, ShellLineError>,
) -> Result<FileOutcome, BackendError> {
    let operation = job.operation(context);
    let script = ScriptRun { context, effect: Effect::Changes, operation: &operation };
    let output = script.run(script.command(line, &job.shown())?).await?;
    Ok((job.shown(), !output.stdout()?.ends_with(text::SAME)))
}
