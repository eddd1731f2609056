//! Reads the metadata of a path with a script.

use super::script_run::ScriptRun;
use super::text;
use super::tree::{RemoteMetadata, status};
use crate::connection::{result_of, with_marked_result};
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transfer::entry::{PathStat, Stat};
use crate::transport::Effect;

/// Returns the metadata of a path: with and without following a symlink.
pub(crate) async fn stat(context: &TransferContext, path: &str, operation: &str) -> Result<PathStat, BackendError> {
    let script = ScriptRun { context, effect: Effect::Reads, operation };
    let line = text::stat(path).map(|line| with_marked_result(&line));
    let output = script.run(script.command(line, path)?).await?;
    let mut records = result_of(output.stdout_bytes()?).split(|byte| *byte == b'\n');
    let mut next = || records.next().and_then(status).map(|(_, status)| to_stat(&status));
    Ok(PathStat { lstat: next(), stat: next() })
}

fn to_stat(status: &RemoteMetadata) -> Stat {
    let RemoteMetadata { owner, size, modified, .. } = *status;
    Stat { kind: status.kind(), mode: status.mode(), owner, size, modified }
}
