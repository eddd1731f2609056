//! A large file in parts by several scripts, each of which writes into the file that one of them has made.

use std::sync::Arc;

use super::dialog_error::{DialogError, Over};
use super::script_run::Script;
use super::talk::Talk;
use super::text;
use crate::error::Result;
use crate::files::backend_error::BackendError;
use crate::files::disk_work::sending;
use crate::files::gauge::Gauge;
use crate::files::job::FileJob;
use crate::files::parts::{BLOCK, Part, Parts, Taken};
use crate::files::place::Place;
use crate::transport::Effect;

/// Carries a file in parts, by the script of `talk` and others beside it, which work in its `folder`.
///
/// Of the blocks that are `kept` there already nothing is carried.
pub(super) async fn carry(
    place: &Place,
    file: FileJob<'_>,
    folder: &str,
    talk: &mut Talk,
    kept: &[bool],
) -> Result<(), DialogError> {
    let parts = Parts::of(file.stamp.size, kept);
    let gauge = Gauge::new(place, &file.job.what(place), parts.size());
    let first = async {
        while let Some(taken) = parts.take_until_all_arrived().await {
            carry_one(taken, file, talk, &gauge).await?;
        }
        Ok::<_, DialogError>(())
    };
    parts.carry(first, || help(place, file, folder, &parts, &gauge)).await?;
    Ok(file.content.expect_unchanged(file.stamp).await?)
}

/// Carries parts by a script of its own; where it can't, others do.
async fn help(place: &Place, file: FileJob<'_>, folder: &str, parts: &Parts, gauge: &Arc<Gauge>) {
    let what = format!("{} (a part)", file.job.what(place));
    let script = Script { place, effect: Effect::Changes, what: &what };
    let Ok((mut talk, command)) = script.talk(text::help(folder), folder) else { return };
    let carry = async {
        talk.begin().await?;
        talk.noise().await?;
        while let Some(taken) = parts.take() {
            carry_one(taken, file, &mut talk, gauge).await?;
        }
        talk.hush();
        Ok::<_, DialogError>(())
    };
    let _others_carry_the_rest: Result<(), BackendError> = script.run_with(command, carry).await;
}

async fn carry_one(
    taken: Taken<'_>,
    file: FileJob<'_>,
    talk: &mut Talk,
    gauge: &Arc<Gauge>,
) -> Result<(), DialogError> {
    let Part { start, length } = taken.part;
    talk.say(announced(taken.part).into()).await?;
    let (content, to, gauge) = (file.content.clone(), talk.sender().ok_or(Over)?, Arc::clone(gauge));
    sending(move || content.send_part(start, length, &to, &gauge)).await?;
    if talk.record().await? != text::PART.as_bytes() {
        return Err(DialogError::Over);
    }
    taken.arrived();
    Ok(())
}

/// Returns the line that announces a part: from which block on, how many blocks, how many bytes behind them.
fn announced(part: Part) -> String {
    format!("{} {} {}\n", part.start / BLOCK, part.length / BLOCK, part.length % BLOCK)
}
