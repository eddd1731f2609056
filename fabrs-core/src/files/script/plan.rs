//! Comparing one entry with what is on the host by a script, for a dry run.

use super::dialog_error::{DialogError, Over};
use super::put::{SMALL, sum};
use super::script_run::Script;
use super::talk::Talk;
use super::text;
use crate::files::backend_error::BackendError;
use crate::files::disk_work::on_transfer_thread;
use crate::files::job::{FileJob, Job};
use crate::files::progress_counter::ProgressCounter;
use crate::files::transfer_context::TransferContext;
use crate::files::transfer_report::FileOutcome;
use crate::files::walk::ItemKind;
use crate::transport::Effect;

/// Returns the path of an entry, with whether a put would write it.
pub(in super::super) async fn plan(context: &TransferContext, job: &Job) -> Result<FileOutcome, BackendError> {
    let operation = format!("compare {}", job.shown());
    let script = Script { context, effect: Effect::Reads, operation: &operation };
    let line = match (&job.item.content, job.as_file()) {
        (_, Some(file)) => text::plan(file, known(context, file).await?.as_deref()),
        (ItemKind::Link(to), _) => text::plan_link(job, to),
        _ => text::plan_folder(&job.target, &job.attributes),
    };
    let (talk, command) = script.talk(line, &job.shown())?;
    script.run_with(command, converse(talk, context, job)).await
}

/// Returns the sum of a small file, which saves a round trip. Of a secret no sum may be in a script.
async fn known(context: &TransferContext, file: FileJob<'_>) -> Result<Option<String>, BackendError> {
    if file.content.secret().is_some() || file.fingerprint.size > SMALL {
        return Ok(None);
    }
    Ok(Some(sum(file).await.map_err(|error| context.error(error))?))
}

async fn converse(mut talk: Talk, context: &TransferContext, job: &Job) -> Result<FileOutcome, DialogError> {
    talk.begin().await?;
    talk.noise().await?;
    loop {
        let told = String::from_utf8_lossy(&talk.record().await?).into_owned();
        if let Some(path) = told.strip_prefix(text::DONE) {
            return Ok((path.to_owned(), true));
        } else if let Some(path) = told.strip_prefix(text::SAME) {
            return Ok((path.to_owned(), false));
        }
        let Some(file) = job.as_file() else { return Err(DialogError::Over) };
        if let Some(there) = told.strip_prefix(text::SUM_IS) {
            let answer = if talk.unless_over(sum(file)).await? == there { "same\n" } else { "other\n" };
            talk.say(answer.into()).await?;
        } else if told == text::SEND {
            let (content, fingerprint) = (file.content.clone(), file.fingerprint.clone());
            let to = talk.hush().ok_or(Over)?;
            let progress = ProgressCounter::new(context, &file.job.operation(context), fingerprint.size);
            on_transfer_thread(move || content.send(&fingerprint, &to, &progress)).await?;
        } else {
            return Err(DialogError::Over);
        }
    }
}
