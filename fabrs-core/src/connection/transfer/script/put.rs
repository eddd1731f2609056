//! Putting a file by a script.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::blocking;
use super::super::job::{Job, Place};
use super::super::source::{Source, Sum};
use super::{Script, Undone, text};
use crate::error::Result;
use crate::transport::Effect;

/// How many folders are made by one command.
const FOLDERS_AT_ONCE: usize = 200;
/// How many pieces of a file may wait for the network.
const WAITING: usize = 4;

/// Puts one file, and returns its path with whether it was written.
pub(in super::super) async fn put(place: &Place, job: &Job) -> Result<(String, bool), Undone> {
    let Job { item, sum, target, attributes, what } = job;
    let script = Script { place, effect: Effect::Changes, what };
    let command = script.command(text::put(target, &item.name, sum, attributes, &item.content), target)?;
    let (sender, pieces) = mpsc::channel(WAITING);
    let command = command.on_cue(text::SEND, pieces);
    let (output, sent) = tokio::join!(script.run(command), send(item.content.clone(), sum.clone(), sender));
    let output = match (output, sent) {
        // That the host found it too short says less than why.
        (Err(Undone::Failed(_)), Err(error)) => return Err(place.error(error).into()),
        (Err(undone), _) => return Err(undone),
        (Ok(output), _) => output,
    };
    // The path behind it may have line ends of its own.
    let said = output.stdout()?;
    let said_last = |mark: &str| said.rfind(mark).map(|at| said.get(at + mark.len()..).unwrap_or_default());
    let path = |rest: &str| rest.strip_suffix('\n').unwrap_or(rest).to_owned();
    match (said_last(text::DONE), said_last(text::SAME)) {
        (Some(rest), _) => Ok((path(rest), true)),
        (None, Some(rest)) => Ok((path(rest), false)),
        (None, None) => Err(place.could_not(what).into()),
    }
}

/// Makes folders, with all above them.
pub(in super::super) async fn folders(place: &Place, folders: &[String], what: &str) -> Result<(), Undone> {
    let script = Script { place, effect: Effect::Changes, what };
    // One argument of a program has a limit, and the line is one.
    for some in folders.chunks(FOLDERS_AT_ONCE) {
        let path = some.first().map(String::as_str).unwrap_or_default();
        script.run(script.command(text::folders(some), path)?).await?;
    }
    Ok(())
}

/// Sends a content to whoever takes it.
async fn send(content: Source, sum: Sum, to: mpsc::Sender<Bytes>) -> Result<()> {
    blocking(move || content.send(&sum, &to)).await
}
