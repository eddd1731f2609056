//! What a file that is put changes, told before it is written.

use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use similar::TextDiff;

use super::arrival::Arrival;
use super::backend::Backend;
use super::backend_choice::Way;
use super::disk_work::{AT_ONCE, blocking};
use super::file_error::said;
use super::file_error::{IS_A_FOLDER, is_missing};
use super::job::{FileJob, Job};
use super::place::Place;
use super::sum::Sum;
use crate::config::DiffMode;
use crate::error::{ErrorKind, Result};
use crate::event::{Event, FileDiff};
use crate::files::backend_error::BackendError;
use crate::host::Host;
use crate::transport::Effect;

/// The largest file that is compared line by line: who reads more of it than this?
const LARGEST: u64 = 1 << 20;
/// How long lines are compared before the difference may be longer than it has to be.
const LONGEST: Duration = Duration::from_secs(2);

/// Tells of each file what putting it would change; it is read for that, and nothing else is done.
pub(super) async fn tell(place: &Place, what: &str, jobs: &[Job]) -> Result<()> {
    let way = Way { place, effect: Effect::Reads, what };
    way.go(|by| tell_each(place, jobs, by)).await
}

async fn tell_each(place: &Place, jobs: &[Job], by: Backend) -> Result<(), BackendError> {
    let here = Host::local();
    let host = place.connection.host().unwrap_or(&here);
    let files: Vec<_> = jobs.iter().filter_map(Job::as_file).collect();
    let each: Vec<_> = files.iter().map(|file| of_one(place, *file, &by).boxed()).collect();
    let mut each = stream::iter(each).buffered(AT_ONCE);
    for file in files {
        let Some(compared) = each.next().await else { break };
        let (path, difference) = compared?;
        place.connection.sink().event(&Event::Diff {
            host,
            operation: &file.job.what(place),
            path: &path,
            diff: &difference,
        });
    }
    Ok(())
}

/// Why no difference is told of what has such a name.
const NOT_UTF8: &str = "its name is not UTF-8";

/// What is on the host where a file is to go.
enum Old {
    Nothing,
    Same,
    Large,
    Private,
    Unread(String),
    Content(Vec<u8>),
}

async fn of_one(place: &Place, file: FileJob<'_>, by: &Backend) -> Result<(String, FileDiff), BackendError> {
    let name = file.job.item.name();
    let (Some(target), Some(name)) = (file.job.target.to_str(), name.to_str()) else {
        return Ok((file.job.shown(), FileDiff::Unread(NOT_UTF8.to_owned())));
    };
    // Neither of a secret nor of its checksum anything may be told.
    if file.content.secret().is_some() {
        return Ok((target.to_owned(), FileDiff::Secret));
    }
    let sum = file.content.sum().await.map_err(|error| place.error(error))?;
    let in_folder = || format!("{}/{name}", target.trim_end_matches('/'));
    let path = if target.ends_with('/') { in_folder() } else { target.to_owned() };
    let (path, old) = match read(place, &sum, by, &path).await? {
        Old::Unread(why) if why.ends_with(IS_A_FOLDER) && path == target && !name.is_empty() => {
            let path = in_folder();
            let old = read(place, &sum, by, &path).await?;
            (path, old)
        }
        old => (path, old),
    };
    let difference = match old {
        Old::Same => FileDiff::None,
        Old::Large => FileDiff::Large,
        Old::Private => FileDiff::Private,
        Old::Unread(why) => FileDiff::Unread(why),
        Old::Nothing | Old::Content(_) if sum.size > LARGEST => FileDiff::Large,
        Old::Nothing | Old::Content(_) if is_to_be_private(file) && place.connection.diff_mode() != DiffMode::All => {
            FileDiff::Private
        }
        Old::Nothing => lines(file, &path, None).await?,
        Old::Content(old) => lines(file, &path, Some(old)).await?,
    };
    Ok((path, difference))
}

/// Tells whether not everybody may read what it is to become.
fn is_to_be_private(file: FileJob<'_>) -> bool {
    const READ_BY_OTHERS: u32 = 0o004;
    file.job.attributes.mode.is_some_and(|mode| mode & READ_BY_OTHERS == 0)
}

async fn read(place: &Place, sum: &Sum, by: &Backend, path: &str) -> Result<Old, BackendError> {
    let arrival = Arrival::in_memory(LARGEST);
    let what = format!("read {path} for the difference");
    match by.get(place, Path::new(path), Some(sum), &arrival, &what).await {
        Ok(true) if arrival.is_private() && place.connection.diff_mode() != DiffMode::All => Ok(Old::Private),
        Ok(true) => Ok(Old::Content(arrival.into_bytes().map_err(|error| place.could_not(&what).caused_by(error))?)),
        Ok(false) => Ok(Old::Same),
        Err(BackendError::Failed(_)) if arrival.is_too_large() => Ok(Old::Large),
        Err(BackendError::Failed(error)) if is_missing(&error) => Ok(Old::Nothing),
        // To write it may be allowed all the same, and in a plan its folder or its user may be still to come.
        Err(BackendError::Failed(error)) if matches!(error.kind(), ErrorKind::File | ErrorKind::Sudo) => {
            Ok(Old::Unread(said(&error).unwrap_or_else(|| error.message().to_owned())))
        }
        Err(undone) => Err(undone),
    }
}

/// Compares an old content that is known with a new one.
pub(super) fn between(old: Option<&[u8]>, new: &[u8], path: &str, shown: &str, is_shown: bool) -> FileDiff {
    let size = old.map_or(0, <[u8]>::len).max(new.len()) as u64;
    match old {
        Some(old) if old == new => FileDiff::None,
        _ if size > LARGEST => FileDiff::Large,
        _ if !is_shown => FileDiff::Private,
        old => unified(old, new, path, shown),
    }
}

async fn lines(file: FileJob<'_>, path: &str, old: Option<Vec<u8>>) -> Result<FileDiff> {
    let (content, shown, path) = (file.content.clone(), file.job.item.shown(), path.to_owned());
    blocking(move || {
        let mut new = Vec::new();
        content.each_piece(|piece| {
            new.extend_from_slice(&piece);
            true
        })?;
        Ok(unified(old.as_deref(), &new, &path, &shown))
    })
    .await
}

/// Compares an old content with a new one, as `diff -u` does; of no old one every line is new.
fn unified(old: Option<&[u8]>, new: &[u8], path: &str, shown: &str) -> FileDiff {
    if memchr::memchr(0, new).or_else(|| memchr::memchr(0, old?)).is_some() {
        return FileDiff::Binary;
    }
    let was = if old.is_some() { path } else { "/dev/null" };
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old.unwrap_or_default(), new);
    let mut text = Vec::new();
    // Behind a tab is where `diff` tells more of a file.
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
    fn a_difference_is_unified() {
        case(Some("a\nb\nc\n"), "a\nB\nc\n", "--- /etc/x\n+++ /etc/x\tconf/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        case(None, "a\n", "--- /dev/null\n+++ /etc/x\tconf/x\n@@ -0,0 +1 @@\n+a\n");
        let no_end = "--- /etc/x\n+++ /etc/x\tconf/x\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n";
        case(Some("a\n"), "a", no_end);
    }

    #[test]
    fn bytes_that_are_no_utf8_differ_all_the_same() {
        let FileDiff::Lines(text) = unified(Some(b"caf\xe9\n"), b"caf\xe8\n", "/x", "x") else { panic!("no lines") };
        assert!(text.ends_with("-caf\u{fffd}\n+caf\u{fffd}\n"), "{text}");
    }

    #[test]
    fn what_is_no_text_has_no_lines() {
        assert_eq!(unified(Some(b"a\0"), b"a", "/x", "x"), FileDiff::Binary);
        assert_eq!(unified(None, b"\x7fELF\0", "/x", "x"), FileDiff::Binary);
    }
}
