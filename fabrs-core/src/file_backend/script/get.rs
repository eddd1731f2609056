//! Downloads a file with a script, and expands glob patterns on the host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::fetch::Fetch;
use super::limits::Allowance;
use super::script_run::MAX_KEPT_OUTPUT;
use super::script_run::ScriptRun;
use super::text;
use crate::connection::{result_of, with_marked_result};
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Checksum;
use crate::transfer::context::TransferContext;
use crate::transfer::incoming_file::IncomingFile;
use crate::transport::Effect;

/// Downloads a file, unless the checksum is `known`. Returns true if the content was received.
pub(crate) async fn get(
    context: &TransferContext,
    path: &Path,
    known: Option<&Checksum>,
    incoming_file: &IncomingFile,
    operation: &str,
) -> Result<bool, BackendError> {
    let script = ScriptRun { context, effect: Effect::Reads, operation };
    let command = script.command_with_content(text::get(path, known), &path.to_string_lossy())?;
    let output = script.run(command.with_watcher(Fetch::new(incoming_file)).capture_tail(MAX_KEPT_OUTPUT)).await;
    let output = output.inspect_err(|_| incoming_file.discard())?;
    Ok(incoming_file.has_started() || output.tail(1)?.trim_end() != text::SAME.trim_end())
}

/// Returns the paths matching a pattern. The flag is true for a directory.
pub(crate) async fn matches(
    context: &TransferContext,
    pattern: &str,
    operation: &str,
) -> Result<Vec<(PathBuf, bool)>, BackendError> {
    let listing = format!("list {pattern}");
    let script = ScriptRun { context, effect: Effect::Reads, operation: &listing };
    let line = text::matches(pattern).map(|line| with_marked_result(&line));
    let command = script.command(line, pattern)?.capture_all();
    let output = ScriptRun { operation, ..script }.run(command).await?;
    let listed = output.stdout_bytes()?;
    let mut records = result_of(listed).split(|byte| *byte == 0);
    let (mut matches, mut allowed) = (Vec::new(), Allowance::listing());
    while let (Some(kind), Some(path)) = (records.next(), records.next()) {
        allowed.admit(path).map_err(|excess| excess.explain(context.could_not(operation)))?;
        matches.push((PathBuf::from(OsStr::from_bytes(path)), kind == b"d"));
    }
    Ok(matches)
}
