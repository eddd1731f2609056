//! Compares an entry with the host in a dry run, with a script.

use super::dialog_error::{DialogError, ScriptEnded};
use super::put::{MAX_EMBEDDED_CHECKSUM_SIZE, sum};
use super::script_dialog::ScriptDialog;
use super::script_run::ScriptRun;
use super::text;
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::on_transfer_thread;
use crate::transfer::job::{FileJob, Job};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::report::FileOutcome;
use crate::transfer::walk::ItemKind;
use crate::transport::Effect;

/// Compares an entry with the host. Returns the path, and true if an upload would write it.
pub(crate) async fn plan(context: &TransferContext, job: &Job) -> Result<FileOutcome, BackendError> {
    let operation = format!("compare {}", job.shown());
    let script = ScriptRun { context, effect: Effect::Reads, operation: &operation };
    let line = match (&job.item.content, job.as_file()) {
        (_, Some(file)) => text::plan(file, known(context, file).await?.as_deref()),
        (ItemKind::Link(to), _) => text::plan_link(job, to),
        _ => text::plan_folder(&job.target, &job.attributes),
    };
    let (dialog, command) = script.dialog(line, &job.shown())?;
    script.run_with(command, run_protocol(dialog, context, job)).await
}

/// Returns the checksum of a small file, to save a round trip. The checksum of a secret must not
/// be part of a script.
async fn known(context: &TransferContext, file: FileJob<'_>) -> Result<Option<String>, BackendError> {
    if file.content.secret().is_some() || file.fingerprint.size > MAX_EMBEDDED_CHECKSUM_SIZE {
        return Ok(None);
    }
    Ok(Some(sum(file).await.map_err(|error| context.error(error))?))
}

async fn run_protocol(
    mut dialog: ScriptDialog,
    context: &TransferContext,
    job: &Job,
) -> Result<FileOutcome, DialogError> {
    dialog.send_preamble().await?;
    dialog.skip_banner().await?;
    loop {
        let answer = String::from_utf8_lossy(&dialog.read_record().await?).into_owned();
        if let Some(path) = answer.strip_prefix(text::DONE) {
            return Ok((path.to_owned(), true));
        } else if let Some(path) = answer.strip_prefix(text::SAME) {
            return Ok((path.to_owned(), false));
        }
        let Some(file) = job.as_file() else { return Err(DialogError::ScriptEnded) };
        if let Some(there) = answer.strip_prefix(text::SUM_IS) {
            let reply = if dialog.while_running(sum(file)).await? == there { "same\n" } else { "other\n" };
            dialog.send(reply.into()).await?;
        } else if answer == text::SEND {
            let (content, fingerprint) = (file.content.clone(), file.fingerprint.clone());
            let to = dialog.take_stdin().ok_or(ScriptEnded)?;
            let progress = ProgressCounter::new(context, &file.job.operation(context), fingerprint.size);
            on_transfer_thread(move || content.send(&fingerprint, &to, &progress)).await?;
        } else {
            return Err(DialogError::ScriptEnded);
        }
    }
}
