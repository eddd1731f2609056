//! Looking what is at a path, by a script.

use super::script_run::Script;
use super::text;
use super::tree::{Status, status};
use crate::connection::{result_of, with_marked_result};
use crate::files::backend_error::BackendError;
use crate::files::entry::{PathStat, Stat};
use crate::files::transfer_context::TransferContext;
use crate::transport::Effect;

/// Looks what is at a path: itself, and what it leads to.
pub(in super::super) async fn look(
    context: &TransferContext,
    path: &str,
    operation: &str,
) -> Result<PathStat, BackendError> {
    let script = Script { context, effect: Effect::Reads, operation };
    let line = text::look(path).map(|line| with_marked_result(&line));
    let output = script.run(script.command(line, path)?).await?;
    let mut told = result_of(output.stdout_bytes()?).split(|byte| *byte == b'\n');
    let mut next = || told.next().and_then(status).map(|(_, status)| stat(&status));
    Ok(PathStat { lstat: next(), stat: next() })
}

fn stat(status: &Status) -> Stat {
    let Status { owner, size, modified, .. } = *status;
    Stat { kind: status.kind(), mode: status.mode(), owner, size, modified }
}
