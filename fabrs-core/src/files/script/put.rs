//! Scripts for one entry: upload and removal.

use super::blocks::{self, Blocks};
use super::dialog_error::{DialogError, Over};
use super::script_run::Script;
use super::talk::Talk;
use super::{losses, parts, text};
use crate::error::Result;
use crate::files::backend_error::BackendError;
use crate::files::disk_work::sending;
use crate::files::gauge::Gauge;
use crate::files::job::{FileJob, Job, Replaces};
use crate::files::parts::holes;
use crate::files::place::Place;
use crate::files::sum::Sha256;
use crate::files::transfer_report::Written;
use crate::files::walk::Content;
use crate::shell::ShellLineError;
use crate::transport::{Effect, random_token};

/// The maximum number of directories that one command creates.
const FOLDERS_AT_ONCE: usize = 200;
/// The maximum size in bytes of a file whose checksum is part of the script. This saves a round trip.
pub(super) const SMALL: u64 = 4 << 20;

/// Uploads one entry. Returns its path, and true if it was written.
pub(in super::super) async fn put(place: &Place, job: &Job) -> Result<Written, BackendError> {
    match (&job.item.content, job.as_file()) {
        (_, Some(file)) => put_file(place, file).await,
        (Content::Link(to), _) => said_of(place, job, text::link(job, to, &random_token()?)).await,
        _ => said_of(place, job, text::folder(&job.target, &job.attributes)).await,
    }
}

/// Creates directories with their parents.
pub(in super::super) async fn folders(place: &Place, folders: &[String], what: &str) -> Result<(), BackendError> {
    let script = Script { place, effect: Effect::Changes, what };
    // The line is one argument of a program, and its length has a limit.
    for some in folders.chunks(FOLDERS_AT_ONCE) {
        let path = some.first().map(String::as_str).unwrap_or_default();
        script.run(script.command(text::folders(some), path)?).await?;
    }
    Ok(())
}

/// Removes the entry at a path. Returns false if there was none.
pub(in super::super) async fn remove(
    place: &Place,
    path: &str,
    is_recursive: bool,
    what: &str,
) -> Result<bool, BackendError> {
    let script = Script { place, effect: Effect::Changes, what };
    let output = script.run(script.command(text::remove(path, is_recursive), path)?).await?;
    Ok(!output.stdout()?.ends_with(text::SAME))
}

async fn put_file(place: &Place, file: FileJob<'_>) -> Result<Written, BackendError> {
    let shared = file.shared(place);
    let file = FileJob { content: shared.as_ref().unwrap_or(file.content), ..file };
    let what = file.job.what(place);
    let script = Script { place, effect: Effect::Changes, what: &what };
    let may_be_told = file.content.secret().is_none() && file.job.landing.replaces == Replaces::Anything;
    let sum = if may_be_told && file.stamp.size <= SMALL { Some(sum(file).await) } else { None };
    let sum = sum.transpose().map_err(|error| place.error(error))?;
    let (talk, command) = script.talk(text::put(file, sum.as_deref(), &random_token()?), &file.job.shown())?;
    script.run_with(command, converse(talk, place, file)).await
}

async fn converse(mut talk: Talk, place: &Place, file: FileJob<'_>) -> Result<Written, DialogError> {
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
            let carried = parts::carry(place, file, folder, &mut talk, &kept);
            let ((), sums) = tokio::try_join!(carried, sums)?;
            talk.say(format!("done {sums}\n").into()).await?;
        } else if let Some(path) = told.strip_prefix(text::NAMES) {
            let otherwise = if file.job.called.is_none() { losses::OTHERWISE } else { "" };
            place.warn(&format!("{}{otherwise}", losses::names(&format!("`{path}`"))));
        } else if let Some(path) = told.strip_prefix(text::ACL) {
            place.warn(&losses::acl(path));
        } else if told == text::SEND {
            if file.job.landing.expects_sums() {
                talk.say(format!("{}\n", talk.unless_over(sums(file, None)).await?).into()).await?;
            }
            let (content, stamp) = (file.content.clone(), file.stamp.clone());
            let to = talk.hush().ok_or(Over)?;
            let gauge = Gauge::new(place, &file.job.what(place), stamp.size);
            sending(move || content.send(&stamp, &to, &gauge)).await?;
        } else {
            return Err(DialogError::Over);
        }
    }
}

/// Returns the checksums of the new content, which may be `known`, and of the old content, as far as the job needs them.
async fn sums(file: FileJob<'_>, known: Option<Sha256>) -> Result<String> {
    const NOT_WANTED: &str = "-";
    let landing = &file.job.landing;
    let new = match known {
        Some(known) => known.to_string(),
        None if landing.verifies => sum(file).await?,
        None => NOT_WANTED.to_owned(),
    };
    let old = match &landing.replaces {
        Replaces::This(sum) => sum.sha256.to_string(),
        Replaces::Anything | Replaces::Nothing | Replaces::Link => NOT_WANTED.to_owned(),
    };
    Ok(format!("{new} {old}"))
}

pub(super) async fn sum(file: FileJob<'_>) -> Result<String> {
    Ok(file.content.sum().await?.sha256.to_string())
}

/// Runs a script that creates one entry. Returns the path, and true if the script changed anything.
async fn said_of(place: &Place, job: &Job, line: Result<String, ShellLineError>) -> Result<Written, BackendError> {
    let what = job.what(place);
    let script = Script { place, effect: Effect::Changes, what: &what };
    let output = script.run(script.command(line, &job.shown())?).await?;
    Ok((job.shown(), !output.stdout()?.ends_with(text::SAME)))
}
