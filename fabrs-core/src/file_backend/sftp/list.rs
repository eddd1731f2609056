//! Lists directories and expands glob patterns by SFTP.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::path::{join, text};
use super::request_error::RequestError;
use super::session::SftpSession;
use super::target::kind_of;
use crate::error::{Error, ErrorKind, Result};
use crate::transfer::entry::{DirectoryEntry, EntryKind, FileKind};
use crate::transfer::file_error::{IS_NOT_A_DIRECTORY, NO_FILE};

/// The maximum size of a listing in memory, in bytes. A server could send endless names.
const MAX_LISTING: usize = 32 << 20;
/// The memory of an entry without the name, in bytes.
const NAME_OVERHEAD: usize = 128;
/// The maximum length of a path, in bytes, as on Linux.
const MAX_PATH: usize = 4096;

/// The pattern matching of a shell: `*` matches neither `/` nor a leading dot.
const SHELL_MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Returns the paths matching a pattern. The flag is true for a directory.
pub(crate) async fn matches(session: &SftpSession, path: &str, operation: &str) -> Result<Vec<(PathBuf, bool)>> {
    try_matches(session, path).await.map_err(|error| error.into_error(&session.context, operation))
}

async fn try_matches(session: &SftpSession, path: &str) -> Result<Vec<(PathBuf, bool)>, RequestError> {
    let shown = session.expanded(path).await?;
    let mut paths = expand_pattern(session, &shown).await?;
    if paths.is_empty() {
        // As in a shell, a pattern without a match is a name.
        paths.push(shown);
    }
    let mut found = Vec::new();
    for path in paths {
        if let Some(there) = session.stat(&session.path(&path)).await? {
            found.push((path.into(), kind_of(&there) == FileKind::Directory));
        }
    }
    if found.is_empty() { Err(RequestError::message(format!("{NO_FILE}{path}"))) } else { Ok(found) }
}

/// Returns all entries of a directory, with all subdirectories.
pub(crate) async fn entries(session: &SftpSession, folder: &Path, operation: &str) -> Result<Vec<DirectoryEntry>> {
    let entries = async {
        let shown = session.expanded(text(folder.as_os_str())?).await?;
        match session.stat(&session.path(&shown)).await? {
            Some(there) if kind_of(&there) == FileKind::Directory => list_recursively(session, &shown).await,
            Some(_) => Err(RequestError::message(format!("{shown}{IS_NOT_A_DIRECTORY}"))),
            None => Err(RequestError::message(format!("{NO_FILE}{shown}"))),
        }
    };
    entries.await.map_err(|error| error.into_error(&session.context, operation))
}

/// Returns the paths matching a pattern. Expands the path components from left to right.
async fn expand_pattern(session: &SftpSession, pattern: &str) -> Result<Vec<String>, RequestError> {
    let (root, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let mut found = vec![root.to_owned()];
    for part in rest.split('/') {
        let pattern = pattern_of(part);
        let (mut next, mut size): (Vec<String>, _) = (Vec::new(), 0);
        for folder in found {
            match &pattern {
                None => next.push(join(&folder, part)),
                Some(pattern) => {
                    let found = in_folder(session, &folder, pattern).await?;
                    size += found.iter().map(|path| NAME_OVERHEAD + path.len()).sum::<usize>();
                    if size > MAX_LISTING {
                        return Err(listing_too_large(&folder));
                    }
                    next.extend(found);
                }
            }
        }
        found = next;
    }
    Ok(found)
}

/// Returns a path component as a pattern, or `None` for a plain name.
fn pattern_of(name: &str) -> Option<Pattern> {
    if !name.contains(['*', '?', '[']) {
        return None;
    }
    // A shell reads `**` as `*`. The `glob` crate has another meaning for `**`.
    let mut pattern = String::new();
    for c in name.chars().filter(|c| *c != '\0') {
        if c != '*' || !pattern.ends_with('*') {
            pattern.push(c);
        }
    }
    Pattern::new(&pattern).ok()
}

async fn in_folder(session: &SftpSession, folder: &str, pattern: &Pattern) -> Result<Vec<String>, RequestError> {
    let names = match names(session, &session.path(folder)).await {
        Ok(names) => names,
        // An unreadable directory, or a path that is not a directory, has no matches.
        Err(RequestError::Rejected(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = names.into_iter().map(|(name, _)| name);
    Ok(names.filter(|name| pattern.matches_with(name, SHELL_MATCHING)).map(|name| join(folder, &name)).collect())
}

pub(crate) async fn list_recursively(session: &SftpSession, root: &str) -> Result<Vec<DirectoryEntry>, RequestError> {
    let (mut entries, mut size) = (Vec::new(), 0);
    let mut directories = vec![String::new()];
    while let Some(below) = directories.pop() {
        let path = session.path(&if below.is_empty() { root.to_owned() } else { join(root, &below) });
        if path.len() > MAX_PATH {
            return Err(RequestError::message("the directories of the SFTP server are nested too deeply"));
        }
        for (name, kind) in names(session, &path).await? {
            size += NAME_OVERHEAD + below.len() + name.len();
            if size > MAX_LISTING {
                return Err(listing_too_large(root));
            }
            let name = checked_name(session, &path, name)?;
            let (below, path) = (join(&below, &name), join(&path, &name));
            let kind = match kind {
                Some(kind) => Some(kind),
                None => session.lstat(&path).await?.map(|there| kind_of(&there)),
            };
            let kind = match kind {
                Some(FileKind::Directory) => {
                    directories.push(below.clone());
                    EntryKind::Directory
                }
                Some(FileKind::File) => EntryKind::File,
                Some(FileKind::Symlink) => {
                    let link = session.request(session.raw().readlink(path.as_str())).await?;
                    let link = link.files.into_iter().next().map(|link| link.filename).unwrap_or_default();
                    size += link.len();
                    if size > MAX_LISTING {
                        return Err(listing_too_large(root));
                    }
                    EntryKind::Link(link.into())
                }
                Some(FileKind::Other) => EntryKind::Other,
                None => continue,
            };
            entries.push(DirectoryEntry { below: below.into(), kind, done: None });
        }
    }
    entries.sort_by(|one, other| one.below.cmp(&other.below));
    Ok(entries)
}

fn listing_too_large(path: &str) -> RequestError {
    RequestError::message(format!("the listing of `{path}` is larger than {} MiB", MAX_LISTING >> 20))
}

/// Returns the sorted names in a directory, with their kinds if the server sends the modes.
async fn names(session: &SftpSession, path: &str) -> Result<Vec<(String, Option<FileKind>)>, RequestError> {
    let handle = session.request(session.raw().opendir(path)).await?.handle;
    let (mut names, mut size) = (Vec::new(), 0);
    loop {
        match session.request(session.raw().readdir(handle.as_str())).await {
            Ok(some) if some.files.is_empty() => {
                return Err(RequestError::message("the SFTP server sent neither names nor the end of the directory"));
            }
            Ok(some) => {
                size += some.files.iter().map(|file| NAME_OVERHEAD + file.filename.len()).sum::<usize>();
                if size > MAX_LISTING {
                    return Err(listing_too_large(path));
                }
                names.extend(some.files.into_iter().map(|file| {
                    let kind = file.attrs.permissions.map(|_| kind_of(&file.attrs));
                    (file.filename, kind)
                }));
            }
            Err(error) if error.is_end() => break,
            Err(error) => return Err(error),
        }
    }
    session.request(session.raw().close(handle)).await?;
    names.retain(|(name, _)| name != "." && name != "..");
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(names)
}

/// Returns a name, or an error if the name was not UTF-8.
fn checked_name(session: &SftpSession, folder: &str, name: String) -> Result<String, RequestError> {
    if name.contains(char::REPLACEMENT_CHARACTER) {
        let text = format!("a file in `{folder}` has a name that is not UTF-8");
        return Err(session.context.error(Error::new(ErrorKind::File, text)).into());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        let is_match = |pattern: &str, name: &str| {
            pattern_of(pattern).is_some_and(|pattern| pattern.matches_with(name, SHELL_MATCHING))
        };
        assert!(is_match("*.log", "a.log") && is_match("a**g", "a.log") && is_match("[ab]?", "b1"));
        assert!(!is_match("*.log", ".hidden.log") && !is_match("[!a]*", "abc"));
        assert!(pattern_of("plain").is_none() && pattern_of("[").is_none());
    }
}
