//! Comparing one entry with what is on the host by a script, for a dry run.

use super::dialog_error::{DialogError, Over};
use super::put::{SMALL, sum};
use super::script_run::Script;
use super::talk::Talk;
use super::text;
use crate::files::backend_error::BackendError;
use crate::files::disk_work::sending;
use crate::files::gauge::Gauge;
use crate::files::job::{FileJob, Job};
use crate::files::place::Place;
use crate::files::transfer_report::Written;
use crate::files::walk::Content;
use crate::transport::Effect;

/// Returns the path of an entry, with whether a put would write it.
pub(in super::super) async fn plan(place: &Place, job: &Job) -> Result<Written, BackendError> {
    let what = format!("compare {}", job.shown());
    let script = Script { place, effect: Effect::Reads, what: &what };
    let line = match (&job.item.content, job.as_file()) {
        (_, Some(file)) => text::plan(file, known(place, file).await?.as_deref()),
        (Content::Link(to), _) => text::plan_link(job, to),
        _ => text::plan_folder(&job.target, &job.attributes),
    };
    let (talk, command) = script.talk(line, &job.shown())?;
    script.run_with(command, converse(talk, place, job)).await
}

/// Returns the sum of a small file, which saves a round trip. Of a secret no sum may be in a script.
async fn known(place: &Place, file: FileJob<'_>) -> Result<Option<String>, BackendError> {
    if file.content.secret().is_some() || file.stamp.size > SMALL {
        return Ok(None);
    }
    Ok(Some(sum(file).await.map_err(|error| place.error(error))?))
}

async fn converse(mut talk: Talk, place: &Place, job: &Job) -> Result<Written, DialogError> {
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
            let (content, stamp) = (file.content.clone(), file.stamp.clone());
            let to = talk.hush().ok_or(Over)?;
            let gauge = Gauge::new(place, &file.job.what(place), stamp.size);
            sending(move || content.send(&stamp, &to, &gauge)).await?;
        } else {
            return Err(DialogError::Over);
        }
    }
}
