//! The inputs of a compiled tool, and the check for changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::environment::ProcessEnvironment;

/// The first line. A new layout gets a new number.
const HEAD: &str = "fabrs-stamp 2";
/// The last line. A stamp without it is incomplete.
const END: &str = "end";

/// Everything that a tool depends on.
///
/// On disk it is one line each, `KIND DETAILS NAME`, so that reading it takes no parser.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stamp {
    /// The cargo program.
    pub(crate) cargo: PathBuf,
    /// The trust under which the files were accepted, as [`ProcessEnvironment::trust_text`] writes it.
    pub(crate) trust: String,
    /// ProcessEnvironment variables with their values, or `None` if unset.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    /// Files with their metadata.
    pub(crate) files: BTreeMap<PathBuf, Input>,
}

/// A file that a tool depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Input {
    /// True for a source file. Other inputs are manifests, the compiler and the tool itself.
    pub(crate) source: bool,
    /// The metadata, or `None` if the file changed during the build: the compiled version is unknown then.
    pub(crate) mark: Option<Mark>,
}

/// The metadata of a file.
///
/// A copy that keeps modification times still changes the time of the last status change (ctime).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    size: u64,
    modified: i128,
    changed: i128,
}

impl Mark {
    /// Reads the metadata of a file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Some(Self {
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Returns true if the file was last written before a time in nanoseconds since 1970.
    pub(crate) fn is_before(self, moment: i128) -> bool {
        self.modified < moment && self.changed < moment
    }
}

impl Stamp {
    /// Reads a stamp. Returns `None` for an unreadable stamp.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.strip_suffix(END)?.strip_suffix('\n')?.split('\n');
        if lines.next()? != HEAD {
            return None;
        }
        let mut stamp = Self::default();
        for line in lines {
            let (kind, rest) = line.split_once(' ')?;
            match kind {
                "cargo" => stamp.cargo = PathBuf::from(rest),
                "trust" => rest.clone_into(&mut stamp.trust),
                "set" => {
                    let (name, value) = rest.split_once(' ')?;
                    stamp.variables.insert(name.to_owned(), Some(value.to_owned()));
                }
                "unset" => {
                    stamp.variables.insert(rest.to_owned(), None);
                }
                "source" | "file" => {
                    let mut parts = rest.splitn(4, ' ');
                    let mut part = || parts.next();
                    let (size, modified, changed) = (part()?, part()?, part()?);
                    let mark = match size {
                        "-" => None,
                        size => Some(Mark {
                            size: size.parse().ok()?,
                            modified: modified.parse().ok()?,
                            changed: changed.parse().ok()?,
                        }),
                    };
                    stamp.files.insert(PathBuf::from(part()?), Input { source: kind == "source", mark });
                }
                _ => return None,
            }
        }
        Some(stamp)
    }

    /// Returns the text for [`read`](Self::read).
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{HEAD}\ncargo {}\ntrust {}\n", self.cargo.display(), self.trust);
        for (name, value) in &self.variables {
            // Writing into a string can't fail.
            let _ = match value {
                Some(value) => writeln!(text, "set {name} {value}"),
                None => writeln!(text, "unset {name}"),
            };
        }
        for (path, input) in &self.files {
            let kind = if input.source { "source" } else { "file" };
            let path = path.display();
            let _ = match input.mark {
                Some(Mark { size, modified, changed }) => {
                    writeln!(text, "{kind} {size} {modified} {changed} {path}")
                }
                None => writeln!(text, "{kind} - - - {path}"),
            };
        }
        text.push_str(END);
        text.push('\n');
        text
    }

    /// Returns the source files.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().filter(|(_, input)| input.source).map(|(path, _)| path)
    }

    /// Records the current value of a variable.
    pub(crate) fn add_variable(&mut self, name: &str, environment: &ProcessEnvironment) {
        self.variables.insert(name.to_owned(), environment.shown(name));
    }

    /// Returns true if no input has changed. Calls `stat` once for each file.
    ///
    /// Without cargo on this machine, the existing tool is used.
    pub(crate) fn is_fresh(&self, environment: &ProcessEnvironment) -> bool {
        environment.cargo().is_none_or(|cargo| cargo == self.cargo)
            && self.variables.iter().all(|(name, value)| environment.shown(name) == *value)
            && self.files.iter().all(|(path, input)| input.mark.is_some() && Mark::of(path) == input.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> ProcessEnvironment {
        ProcessEnvironment::new(variables.iter().map(|(name, value)| (name.into(), value.into())), "/")
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let trust = environment(&[("FABRS_TRUST", "/a b:/c"), ("SUDO_UID", "1\n")]).trust_text();
        let mut stamp = Stamp { cargo: "/opt/my tools/cargo".into(), trust, ..Stamp::default() };
        stamp.add_variable("A", &environment(&[("A", "two\nlines \"and\" quotes")]));
        stamp.add_variable("B", &environment(&[]));
        let mark = Mark { size: 3, modified: 1_700_000_000_123_456_789, changed: -1 };
        stamp.files.insert("/a b/täsks.rs".into(), Input { source: true, mark: Some(mark) });
        stamp.files.insert("/c".into(), Input { source: false, mark: None });
        assert_eq!(Stamp::parse(&stamp.text()), Some(stamp));
    }

    #[test]
    fn a_stamp_that_was_cut_or_is_of_another_layout_is_none() {
        let text = Stamp { cargo: "/bin/cargo".into(), ..Stamp::default() }.text();
        assert!(Stamp::parse(&text).is_some());
        for end in 0..text.len() {
            assert_eq!(Stamp::parse(&text[..end]), None, "{end}");
        }
        assert_eq!(Stamp::parse(&text.replace("stamp 2", "stamp 1")), None);
    }

    #[test]
    fn a_changed_variable_is_not_fresh() {
        let mut stamp = Stamp::default();
        stamp.add_variable("RUSTUP_TOOLCHAIN", &environment(&[]));
        assert!(stamp.is_fresh(&environment(&[])));
        assert!(!stamp.is_fresh(&environment(&[("RUSTUP_TOOLCHAIN", "nightly")])));
    }

    #[test]
    fn a_file_that_changed_vanished_or_was_unsure_is_not_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.rs");
        fs::write(&file, "one").unwrap();
        let mut stamp = Stamp::default();
        stamp.files.insert(file.clone(), Input { source: true, mark: Mark::of(&file) });
        assert!(stamp.is_fresh(&environment(&[])));

        fs::write(&file, "three").unwrap();
        assert!(!stamp.is_fresh(&environment(&[])));
        fs::remove_file(&file).unwrap();
        assert!(!stamp.is_fresh(&environment(&[])));

        fs::write(&file, "one").unwrap();
        stamp.files.insert(file, Input { source: true, mark: None });
        assert!(!stamp.is_fresh(&environment(&[])));
    }
}
