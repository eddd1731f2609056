//! Diffs of uploaded files, shown before the write.

use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use similar::TextDiff;

use crate::config::DiffMode;
use crate::error::{ErrorKind, Result};
use crate::event::{Event, FileDiff};
use crate::file_backend::backend::Backend;
use crate::file_backend::backend_selector::BackendSelector;
use crate::host::Host;
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Checksum;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::{PARALLEL_FILES, blocking};
use crate::transfer::file_error::cause_text;
use crate::transfer::file_error::{IS_A_DIRECTORY, is_missing};
use crate::transfer::incoming_file::IncomingFile;
use crate::transfer::job::{FileJob, Job};
use crate::transport::Effect;

/// The maximum size in bytes of a file with a line diff. Larger diffs are not readable.
const MAX_DIFF_SIZE: u64 = 1 << 20;
/// The maximum time for a minimal diff. After that, the diff may be longer than necessary.
const MAX_DIFF_TIME: Duration = Duration::from_secs(2);

/// Emits the diff of each file. Reads the old files, and changes nothing.
pub(super) async fn report(context: &TransferContext, operation: &str, jobs: &[Job]) -> Result<()> {
    let selector = BackendSelector { context, effect: Effect::Reads, operation };
    selector.run(|backend| report_each(context, jobs, backend)).await
}

async fn report_each(context: &TransferContext, jobs: &[Job], backend: Backend) -> Result<(), BackendError> {
    let here = Host::local();
    let host = context.connection.host().unwrap_or(&here);
    let files: Vec<_> = jobs.iter().filter_map(Job::as_file).collect();
    let each: Vec<_> = files.iter().map(|file| diff_of_file(context, *file, &backend).boxed()).collect();
    let mut each = stream::iter(each).buffered(PARALLEL_FILES);
    for file in files {
        let Some(compared) = each.next().await else { break };
        let (path, diff) = compared?;
        context.connection.sink().event(&Event::Diff {
            host,
            operation: &file.job.operation(context),
            path: &path,
            diff: &diff,
        });
    }
    Ok(())
}

/// The reason for a missing diff: the file name is not UTF-8.
const NOT_UTF8: &str = "the file name is not UTF-8";

/// The old file on the host.
enum OldFile {
    Nothing,
    Same,
    Large,
    Private,
    Unreadable(String),
    Content(Vec<u8>),
}

async fn diff_of_file(
    context: &TransferContext,
    file: FileJob<'_>,
    backend: &Backend,
) -> Result<(String, FileDiff), BackendError> {
    let name = file.job.item.name();
    let (Some(target), Some(name)) = (file.job.target.to_str(), name.to_str()) else {
        return Ok((file.job.shown(), FileDiff::Unread(NOT_UTF8.to_owned())));
    };
    // Neither the content of a secret nor its checksum may be shown.
    if file.content.secret().is_some() {
        return Ok((target.to_owned(), FileDiff::Secret));
    }
    let sum = file.content.sum().await.map_err(|error| context.error(error))?;
    let in_directory = || format!("{}/{name}", target.trim_end_matches('/'));
    let path = if target.ends_with('/') { in_directory() } else { target.to_owned() };
    let (path, old) = match read_old(context, &sum, backend, &path).await? {
        OldFile::Unreadable(why) if why.ends_with(IS_A_DIRECTORY) && path == target && !name.is_empty() => {
            let path = in_directory();
            let old = read_old(context, &sum, backend, &path).await?;
            (path, old)
        }
        old => (path, old),
    };
    let diff = match old {
        OldFile::Same => FileDiff::None,
        OldFile::Large => FileDiff::Large,
        OldFile::Private => FileDiff::Private,
        OldFile::Unreadable(why) => FileDiff::Unread(why),
        OldFile::Nothing | OldFile::Content(_) if sum.size > MAX_DIFF_SIZE => FileDiff::Large,
        OldFile::Nothing | OldFile::Content(_)
            if is_to_be_private(file) && context.connection.diff_mode() != DiffMode::All =>
        {
            FileDiff::Private
        }
        OldFile::Nothing => diff_of_new_content(file, &path, None).await?,
        OldFile::Content(old) => diff_of_new_content(file, &path, Some(old)).await?,
    };
    Ok((path, diff))
}

/// Returns true if the new mode denies access to other users.
fn is_to_be_private(file: FileJob<'_>) -> bool {
    const READ_BY_OTHERS: u32 = 0o004;
    file.job.attributes.mode.is_some_and(|mode| mode & READ_BY_OTHERS == 0)
}

async fn read_old(
    context: &TransferContext,
    sum: &Checksum,
    backend: &Backend,
    path: &str,
) -> Result<OldFile, BackendError> {
    let incoming_file = IncomingFile::in_memory(MAX_DIFF_SIZE);
    let operation = format!("read {path} for the diff");
    match backend.get(Path::new(path), Some(sum), &incoming_file, &operation).await {
        Ok(true) if incoming_file.is_private() && context.connection.diff_mode() != DiffMode::All => {
            Ok(OldFile::Private)
        }
        Ok(true) => Ok(OldFile::Content(
            incoming_file.into_bytes().map_err(|error| context.could_not(&operation).caused_by(error))?,
        )),
        Ok(false) => Ok(OldFile::Same),
        Err(BackendError::Failed(_)) if incoming_file.is_too_large() => Ok(OldFile::Large),
        Err(BackendError::Failed(error)) if is_missing(&error) => Ok(OldFile::Nothing),
        // The upload may succeed anyway. In a plan, an earlier step may create the directory or the
        // user.
        Err(BackendError::Failed(error)) if matches!(error.kind(), ErrorKind::File | ErrorKind::Sudo) => {
            Ok(OldFile::Unreadable(cause_text(&error).unwrap_or_else(|| error.message().to_owned())))
        }
        Err(failure) => Err(failure),
    }
}

/// Returns the diff of two contents in memory.
pub(super) fn of_contents(old: Option<&[u8]>, new: &[u8], path: &str, shown: &str, is_shown: bool) -> FileDiff {
    let size = old.map_or(0, <[u8]>::len).max(new.len()) as u64;
    match old {
        Some(old) if old == new => FileDiff::None,
        _ if size > MAX_DIFF_SIZE => FileDiff::Large,
        _ if !is_shown => FileDiff::Private,
        old => unified(old, new, path, shown),
    }
}

async fn diff_of_new_content(file: FileJob<'_>, path: &str, old: Option<Vec<u8>>) -> Result<FileDiff> {
    let (content, shown, path) = (file.content.clone(), file.job.item.shown(), path.to_owned());
    blocking(move || {
        let mut new = Vec::new();
        content.for_each_chunk(|chunk| {
            new.extend_from_slice(&chunk);
            true
        })?;
        Ok(unified(old.as_deref(), &new, &path, &shown))
    })
    .await
}

/// Returns the diff in the format of `diff -u`. Without an old file, all lines are new.
fn unified(old: Option<&[u8]>, new: &[u8], path: &str, shown: &str) -> FileDiff {
    if memchr::memchr(0, new).or_else(|| memchr::memchr(0, old?)).is_some() {
        return FileDiff::Binary;
    }
    let was = if old.is_some() { path } else { "/dev/null" };
    let diff = TextDiff::configure().timeout(MAX_DIFF_TIME).diff_lines(old.unwrap_or_default(), new);
    let mut text = Vec::new();
    // `diff` prints details of a file after a tab.
    let written = diff.unified_diff().header(was, &format!("{path}\t{shown}")).to_writer(&mut text);
    match written {
        Ok(()) => FileDiff::Lines(String::from_utf8_lossy(&text).into_owned()),
        Err(_) => FileDiff::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(old: Option<&str>, new: &str, expected: &str) {
        let FileDiff::Lines(text) = unified(old.map(str::as_bytes), new.as_bytes(), "/etc/x", "conf/x") else {
            panic!("no lines");
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn a_diff_has_the_unified_format() {
        case(Some("a\nb\nc\n"), "a\nB\nc\n", "--- /etc/x\n+++ /etc/x\tconf/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        case(None, "a\n", "--- /dev/null\n+++ /etc/x\tconf/x\n@@ -0,0 +1 @@\n+a\n");
        let no_end = "--- /etc/x\n+++ /etc/x\tconf/x\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n";
        case(Some("a\n"), "a", no_end);
    }

    #[test]
    fn text_with_invalid_utf8_has_a_diff() {
        let FileDiff::Lines(text) = unified(Some(b"caf\xe9\n"), b"caf\xe8\n", "/x", "x") else { panic!("no lines") };
        assert!(text.ends_with("-caf\u{fffd}\n+caf\u{fffd}\n"), "{text}");
    }

    #[test]
    fn a_binary_file_has_no_line_diff() {
        assert_eq!(unified(Some(b"a\0"), b"a", "/x", "x"), FileDiff::Binary);
        assert_eq!(unified(None, b"\x7fELF\0", "/x", "x"), FileDiff::Binary);
    }
}
