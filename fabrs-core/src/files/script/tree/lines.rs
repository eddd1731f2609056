//! Lines for a shell on the host, about what has come and the places that it goes to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many bytes of names are in one line: a program takes more, and so does a shell.
const LINE: usize = 64 << 10;

/// How the places of a tree are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reach {
    /// By their paths from where the stream was taken down.
    #[default]
    Named,
    /// From within their folders, of which it is known that they are where they were: somebody else could put a symlink into
    /// the place of one, behind which root would remove and write what it should not.
    Entered,
}

/// Lines for a shell, each as long as one may be.
#[derive(Debug)]
pub(super) struct Lines {
    text: Vec<u8>,
    reach: Reach,
    /// The folder in which all is that has come.
    stage: &'static str,
}

impl Lines {
    pub(super) fn new(reach: Reach, stage: &'static str) -> Self {
        Self { text: Vec::new(), reach, stage }
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Does something with what has come.
    pub(super) fn staged(&mut self, command: &str, paths: &[PathBuf], end: &str) {
        let stage = Path::new(self.stage);
        self.each(command.as_bytes(), paths.iter().map(|path| stage.join(path)), end);
    }

    /// Does something with what is in its place.
    pub(super) fn placed(&mut self, command: &str, paths: &[PathBuf], end: &str) {
        match self.reach {
            Reach::Named => self.each(command.as_bytes(), paths.iter().map(|path| Path::new("..").join(path)), end),
            Reach::Entered => {
                let mut folders: BTreeMap<&Path, Vec<PathBuf>> = BTreeMap::new();
                for path in paths {
                    let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
                    folders.entry(folder).or_default().push(Path::new(".").join(name));
                }
                for (folder, names) in folders {
                    self.each(&at(folder, command), names.into_iter(), end);
                }
            }
        }
    }

    /// Does something with folders that are in their places.
    pub(super) fn folders(&mut self, command: &str, folders: impl Iterator<Item = PathBuf>, end: &str) {
        match self.reach {
            Reach::Named => self.each(command.as_bytes(), folders.map(|folder| Path::new("..").join(folder)), end),
            Reach::Entered => {
                for folder in folders {
                    self.each(&at(&folder, command), std::iter::once(PathBuf::from(".")), end);
                }
            }
        }
    }

    /// Has what has come move into a folder, each name with how many files it is; what `is_replaced` makes room for it.
    pub(super) fn moves(&mut self, names: &[(PathBuf, usize)], folder: &Path, is_replaced: impl Fn(&Path) -> bool) {
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
            if line.len() > LINE || names.peek().is_none() {
                let (begin, end) = match self.reach {
                    Reach::Named => {
                        let mut end = Vec::new();
                        push_word(&mut end, Path::new("..").join(folder).join("").as_os_str());
                        (format!("{from_outside} {files}").into_bytes(), end)
                    }
                    Reach::Entered => {
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
            if line.len() > LINE || paths.peek().is_none() {
                self.text.extend_from_slice(command);
                self.text.append(&mut line);
                self.text.extend_from_slice(end.as_bytes());
                self.text.push(b'\n');
            }
        }
    }
}

/// Begins a line that is run within a folder.
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
        // No path of a system has a NUL.
        Err(_) => line.extend_from_slice(b"''"),
    }
}
