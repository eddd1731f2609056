//! Looking what is at a path, by a script.

use super::script_run::Script;
use super::text;
use super::tree::{Status, status};
use crate::connection::{result_of, with_marked_result};
use crate::files::backend_error::BackendError;
use crate::files::entry::{Found, Stat};
use crate::files::place::Place;
use crate::transport::Effect;

/// Looks what is at a path: itself, and what it leads to.
pub(in super::super) async fn look(place: &Place, path: &str, what: &str) -> Result<Found, BackendError> {
    let script = Script { place, effect: Effect::Reads, what };
    let line = text::look(path).map(|line| with_marked_result(&line));
    let output = script.run(script.command(line, path)?).await?;
    let mut told = result_of(output.stdout_bytes()?).split(|byte| *byte == b'\n');
    let mut next = || told.next().and_then(status).map(|(_, status)| stat(&status));
    Ok(Found { itself: next(), behind: next() })
}

fn stat(status: &Status) -> Stat {
    let Status { owner, size, modified, .. } = *status;
    Stat { kind: status.kind(), mode: status.mode(), owner, size, modified }
}
