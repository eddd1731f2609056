//! Uploads a large file in parts: several scripts write into the same temporary file.

use std::sync::Arc;

use super::dialog_error::{DialogError, ScriptEnded};
use super::script_dialog::ScriptDialog;
use super::script_run::ScriptRun;
use super::text;
use crate::error::Result;
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::on_transfer_thread;
use crate::transfer::job::FileJob;
use crate::transfer::parts::{BLOCK, FilePart, PartGuard, Parts};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transport::Effect;

/// Uploads a file in parts, with the script of `dialog` and with further scripts. All of them write
/// into the temporary directory `folder`.
///
/// Blocks marked in `kept` are already on the host and are not sent.
pub(crate) async fn transfer(
    context: &TransferContext,
    file: FileJob<'_>,
    folder: &str,
    dialog: &mut ScriptDialog,
    kept: &[bool],
) -> Result<(), DialogError> {
    let parts = Parts::of(file.fingerprint.size, kept);
    let progress = ProgressCounter::new(context, &file.job.operation(context), parts.size());
    let first = async {
        while let Some(taken) = parts.take_until_complete().await {
            transfer_part(taken, file, dialog, &progress).await?;
        }
        Ok::<_, DialogError>(())
    };
    parts.transfer(first, || transfer_in_part_channel(context, file, folder, &parts, &progress)).await?;
    Ok(file.content.expect_unchanged(file.fingerprint).await?)
}

/// Uploads parts with another script. If this script fails, the other scripts send the parts.
async fn transfer_in_part_channel(
    context: &TransferContext,
    file: FileJob<'_>,
    folder: &str,
    parts: &Parts,
    progress: &Arc<ProgressCounter>,
) {
    let operation = format!("{} (a part)", file.job.operation(context));
    let script = ScriptRun { context, effect: Effect::Changes, operation: &operation };
    let Ok((mut dialog, command)) = script.dialog(text::part_receiver(folder), folder) else { return };
    let transfer = async {
        dialog.send_preamble().await?;
        dialog.skip_banner().await?;
        while let Some(taken) = parts.take() {
            transfer_part(taken, file, &mut dialog, progress).await?;
        }
        dialog.take_stdin();
        Ok::<_, DialogError>(())
    };
    let _other_scripts_send_the_rest: Result<(), BackendError> = script.run_with(command, transfer).await;
}

async fn transfer_part(
    taken: PartGuard<'_>,
    file: FileJob<'_>,
    dialog: &mut ScriptDialog,
    progress: &Arc<ProgressCounter>,
) -> Result<(), DialogError> {
    let FilePart { start, length } = taken.part;
    dialog.send(announcement(taken.part).into()).await?;
    let (content, to, progress) = (file.content.clone(), dialog.stdin().ok_or(ScriptEnded)?, Arc::clone(progress));
    on_transfer_thread(move || content.send_part(start, length, &to, &progress)).await?;
    if dialog.read_record().await? != text::PART.as_bytes() {
        return Err(DialogError::ScriptEnded);
    }
    taken.complete();
    Ok(())
}

/// Returns the header line of a part: the first block, the number of blocks and further bytes.
fn announcement(part: FilePart) -> String {
    format!("{} {} {}\n", part.start / BLOCK, part.length / BLOCK, part.length % BLOCK)
}
