//! Generates shell lines to apply a command to received or existing paths.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The maximum length of the paths in a line, in bytes: below the limits of shells and programs.
const MAX_LINE_LENGTH: usize = 64 << 10;

/// The form of the paths in a script for a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PathAccess {
    /// By the path relative to the temporary directory.
    #[default]
    FullPath,
    /// By name, from inside the directory after a check of the path. Another user could replace a
    /// directory by a symlink, and root would then write or remove files behind the symlink.
    FromDirectory,
}

/// Shell lines of limited length.
#[derive(Debug)]
pub(crate) struct ScriptLines {
    text: Vec<u8>,
    path_access: PathAccess,
    /// The directory of the received entries.
    stage: &'static str,
}

impl ScriptLines {
    pub(crate) fn new(path_access: PathAccess, stage: &'static str) -> Self {
        Self { text: Vec::new(), path_access, stage }
    }

    pub(crate) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Applies a command to received entries.
    pub(crate) fn staged(&mut self, command: &str, paths: &[PathBuf], end: &str) {
        let stage = Path::new(self.stage);
        self.each(command.as_bytes(), paths.iter().map(|path| stage.join(path)), end);
    }

    /// Applies a command to existing paths of the target.
    pub(crate) fn placed(&mut self, command: &str, paths: &[PathBuf], end: &str) {
        match self.path_access {
            PathAccess::FullPath => {
                self.each(command.as_bytes(), paths.iter().map(|path| Path::new("..").join(path)), end);
            }
            PathAccess::FromDirectory => {
                let mut directories: BTreeMap<&Path, Vec<PathBuf>> = BTreeMap::new();
                for path in paths {
                    let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
                    directories.entry(folder).or_default().push(Path::new(".").join(name));
                }
                for (folder, names) in directories {
                    self.each(&at(folder, command), names.into_iter(), end);
                }
            }
        }
    }

    /// Applies a command to existing directories of the target.
    pub(crate) fn directories(&mut self, command: &str, directories: impl Iterator<Item = PathBuf>, end: &str) {
        match self.path_access {
            PathAccess::FullPath => {
                self.each(command.as_bytes(), directories.map(|folder| Path::new("..").join(folder)), end);
            }
            PathAccess::FromDirectory => {
                for folder in directories {
                    self.each(&at(&folder, command), std::iter::once(PathBuf::from(".")), end);
                }
            }
        }
    }

    /// Moves received entries into a directory, and counts their files. Old entries are set aside
    /// first if `is_replaced` returns true.
    pub(crate) fn moves(&mut self, names: &[(PathBuf, usize)], folder: &Path, is_replaced: impl Fn(&Path) -> bool) {
        let (replaced, others): (Vec<_>, Vec<_>) = names.iter().partition(|(path, _)| is_replaced(path));
        for one in replaced {
            self.moves_of(["replaced", "swapped"], [one].into_iter(), folder);
        }
        self.moves_of(["moved", "put"], others.into_iter(), folder);
    }

    fn moves_of<'a>(
        &mut self,
        [from_outside, within]: [&str; 2],
        names: impl Iterator<Item = &'a (PathBuf, usize)>,
        folder: &Path,
    ) {
        let mut names = names.peekable();
        let (mut line, mut files) = (Vec::new(), 0);
        while let Some((name, count)) = names.next() {
            push_word(&mut line, Path::new(self.stage).join(name).as_os_str());
            files += count;
            if line.len() > MAX_LINE_LENGTH || names.peek().is_none() {
                let (begin, end) = match self.path_access {
                    PathAccess::FullPath => {
                        let mut end = Vec::new();
                        push_word(&mut end, Path::new("..").join(folder).join("").as_os_str());
                        (format!("{from_outside} {files}").into_bytes(), end)
                    }
                    PathAccess::FromDirectory => {
                        let end = format!(" || exit 1; n=$((n + {files}))").into_bytes();
                        ([b"k=$((k + 1)); ".to_vec(), at(folder, within)].concat(), end)
                    }
                };
                self.text.extend_from_slice(&begin);
                self.text.append(&mut line);
                self.text.extend_from_slice(&end);
                self.text.push(b'\n');
                files = 0;
            }
        }
    }

    fn each(&mut self, command: &[u8], paths: impl Iterator<Item = PathBuf>, end: &str) {
        let mut line = Vec::new();
        let mut paths = paths.peekable();
        while let Some(path) = paths.next() {
            push_word(&mut line, path.as_os_str());
            if line.len() > MAX_LINE_LENGTH || paths.peek().is_none() {
                self.text.extend_from_slice(command);
                self.text.append(&mut line);
                self.text.extend_from_slice(end.as_bytes());
                self.text.push(b'\n');
            }
        }
    }
}

/// Returns the start of a line that runs a command inside a directory.
fn at(folder: &Path, command: &str) -> Vec<u8> {
    let mut line = b"at".to_vec();
    push_word(&mut line, folder.as_os_str());
    line.push(b' ');
    line.extend_from_slice(command.as_bytes());
    line
}

fn push_word(line: &mut Vec<u8>, word: &OsStr) {
    line.push(b' ');
    match shlex::bytes::try_quote(word.as_bytes()) {
        Ok(word) => line.extend_from_slice(&word),
        // A path cannot contain NUL.
        Err(_) => line.extend_from_slice(b"''"),
    }
}
