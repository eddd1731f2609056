//! A large file in parts by several scripts, each of which writes into the file that one of them has made.

use std::sync::Arc;

use super::dialog_error::{DialogError, Over};
use super::script_run::Script;
use super::talk::Talk;
use super::text;
use crate::error::Result;
use crate::files::backend_error::BackendError;
use crate::files::disk_work::on_transfer_thread;
use crate::files::job::FileJob;
use crate::files::parts::{BLOCK, Part, PartGuard, Parts};
use crate::files::progress_counter::ProgressCounter;
use crate::files::transfer_context::TransferContext;
use crate::transport::Effect;

/// Carries a file in parts, by the script of `talk` and others beside it, which work in its `folder`.
///
/// Of the blocks that are `kept` there already nothing is carried.
pub(super) async fn carry(
    context: &TransferContext,
    file: FileJob<'_>,
    folder: &str,
    talk: &mut Talk,
    kept: &[bool],
) -> Result<(), DialogError> {
    let parts = Parts::of(file.fingerprint.size, kept);
    let progress = ProgressCounter::new(context, &file.job.operation(context), parts.size());
    let first = async {
        while let Some(taken) = parts.take_until_complete().await {
            carry_one(taken, file, talk, &progress).await?;
        }
        Ok::<_, DialogError>(())
    };
    parts.transfer(first, || help(context, file, folder, &parts, &progress)).await?;
    Ok(file.content.expect_unchanged(file.fingerprint).await?)
}

/// Carries parts by a script of its own; where it can't, others do.
async fn help(
    context: &TransferContext,
    file: FileJob<'_>,
    folder: &str,
    parts: &Parts,
    progress: &Arc<ProgressCounter>,
) {
    let operation = format!("{} (a part)", file.job.operation(context));
    let script = Script { context, effect: Effect::Changes, operation: &operation };
    let Ok((mut talk, command)) = script.talk(text::help(folder), folder) else { return };
    let carry = async {
        talk.begin().await?;
        talk.noise().await?;
        while let Some(taken) = parts.take() {
            carry_one(taken, file, &mut talk, progress).await?;
        }
        talk.hush();
        Ok::<_, DialogError>(())
    };
    let _others_carry_the_rest: Result<(), BackendError> = script.run_with(command, carry).await;
}

async fn carry_one(
    taken: PartGuard<'_>,
    file: FileJob<'_>,
    talk: &mut Talk,
    progress: &Arc<ProgressCounter>,
) -> Result<(), DialogError> {
    let Part { start, length } = taken.part;
    talk.say(announced(taken.part).into()).await?;
    let (content, to, progress) = (file.content.clone(), talk.sender().ok_or(Over)?, Arc::clone(progress));
    on_transfer_thread(move || content.send_part(start, length, &to, &progress)).await?;
    if talk.record().await? != text::PART.as_bytes() {
        return Err(DialogError::Over);
    }
    taken.complete();
    Ok(())
}

/// Returns the line that announces a part: from which block on, how many blocks, how many bytes behind them.
fn announced(part: Part) -> String {
    format!("{} {} {}\n", part.start / BLOCK, part.length / BLOCK, part.length % BLOCK)
}
