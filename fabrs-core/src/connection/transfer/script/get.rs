//! Getting a file by a script, and listing what a path means.

use super::super::super::greeting::Greeting;
use super::super::arrival::Arrival;
use super::super::job::Place;
use super::super::sum::Sum;
use super::fetch::Fetch;
use super::{Script, Undone, text};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Effect;

/// How much of what the script of `get` prints is kept.
const KEPT: usize = 1024;

/// Lets one file arrive, unless the one that is `known` here is the same; tells whether it has arrived.
pub(in super::super) async fn get(
    place: &Place,
    path: &str,
    known: Option<&Sum>,
    arrival: &Arrival,
    what: &str,
) -> Result<bool, Undone> {
    let script = Script { place, effect: Effect::Reads, what };
    let command = script.command(text::get(path, known), path)?;
    let output = script.run(command.watched_by(Fetch::new(arrival)).keeping(KEPT)).await;
    let output = output.inspect_err(|_| arrival.give_up())?;
    Ok(arrival.has_begun() || output.tail(1)?.trim_end() != text::SAME.trim_end())
}

/// Lists the files that a path means: each with what it is listed below, where it is in a folder, and its path below that.
pub(in super::super) async fn list(place: &Place, path: &str, what: &str) -> Result<Vec<(String, String)>, Undone> {
    let listing = format!("list {path}");
    let script = Script { place, effect: Effect::Reads, what: &listing };
    let command = script.command(text::list(path), path)?.capture_all();
    let output = Script { what, ..script }.run(command).await?;
    let listed = output.stdout_bytes()?;
    let texts: Vec<&[u8]> = Greeting::behind(listed).split(|byte| *byte == 0).collect();
    let pairs = texts.chunks_exact(2).filter_map(|pair| match pair {
        [folder, below] => Some((folder.to_vec(), below.to_vec())),
        _ => None,
    });
    pairs.map(|(folder, below)| Ok((utf8(place, path, folder)?, utf8(place, path, below)?))).collect()
}

fn utf8(place: &Place, path: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|source| {
        let error = Error::new(ErrorKind::File, format!("a file in `{path}` has a name that is not UTF-8"));
        place.error(error.caused_by(source))
    })
}
