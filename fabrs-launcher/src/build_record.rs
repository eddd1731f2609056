//! The build record: the inputs of a compiled tool, and the check for changed inputs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::environment::ProcessEnvironment;

/// The first line, with the version of the format.
const HEAD: &str = "fabrs-build-record 1";
/// The last line. A record without this line is incomplete.
const END: &str = "end";

/// All inputs of a compiled tool.
///
/// The file has one line for each input: `KIND DETAILS NAME`. Reading the file needs no parser
/// library, so an unchanged project starts fast.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct BuildRecord {
    /// The cargo program.
    pub(crate) cargo: PathBuf,
    /// The trust settings during the check of the files, as written by
    /// [`ProcessEnvironment::trust_key`].
    pub(crate) trust: String,
    /// Environment variables with their values, or `None` for an unset variable.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    /// Input files with their metadata.
    pub(crate) files: BTreeMap<PathBuf, Input>,
}

/// An input file of a tool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Input {
    /// True for a source file, false for a manifest, the compiler or the tool itself.
    pub(crate) is_source: bool,
    /// The metadata, or `None` if the file changed during the build. The compiled version of the
    /// file is then unknown.
    pub(crate) stat: Option<FileStat>,
}

/// The size and times of a file.
///
/// The status change time (ctime) also changes if a copy preserves the modification time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FileStat {
    size: u64,
    modified: i128,
    changed: i128,
}

impl FileStat {
    /// Reads the metadata of a file. Returns `None` if the file can't be read.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Some(Self {
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Returns true if the last change was before `time`, in nanoseconds since 1970.
    pub(crate) fn is_before(self, time: i128) -> bool {
        self.modified < time && self.changed < time
    }
}

impl BuildRecord {
    /// Reads a record. Returns `None` for a missing, incomplete or outdated record.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.strip_suffix(END)?.strip_suffix('\n')?.split('\n');
        if lines.next()? != HEAD {
            return None;
        }
        let mut record = Self::default();
        for line in lines {
            let (kind, rest) = line.split_once(' ')?;
            match kind {
                "cargo" => record.cargo = PathBuf::from(rest),
                "trust" => rest.clone_into(&mut record.trust),
                "set" => {
                    let (name, value) = rest.split_once(' ')?;
                    record.variables.insert(name.to_owned(), Some(value.to_owned()));
                }
                "unset" => {
                    record.variables.insert(rest.to_owned(), None);
                }
                "source" | "file" => {
                    let mut parts = rest.splitn(4, ' ');
                    let mut part = || parts.next();
                    let (size, modified, changed) = (part()?, part()?, part()?);
                    let stat = match size {
                        "-" => None,
                        size => Some(FileStat {
                            size: size.parse().ok()?,
                            modified: modified.parse().ok()?,
                            changed: changed.parse().ok()?,
                        }),
                    };
                    record.files.insert(PathBuf::from(part()?), Input { is_source: kind == "source", stat });
                }
                _ => return None,
            }
        }
        Some(record)
    }

    /// Returns the record as text, in the format of [`read`](Self::read).
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\ncargo {}\ntrust {}\n", self.cargo.display(), self.trust);
        for (name, value) in &self.variables {
            // A write to a string can't fail.
            let _ = match value {
                Some(value) => writeln!(text, "set {name} {value}"),
                None => writeln!(text, "unset {name}"),
            };
        }
        for (path, input) in &self.files {
            let kind = if input.is_source { "source" } else { "file" };
            let path = path.display();
            let _ = match input.stat {
                Some(FileStat { size, modified, changed }) => {
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
        self.files.iter().filter(|(_, input)| input.is_source).map(|(path, _)| path)
    }

    /// Records the current value of a variable.
    pub(crate) fn add_variable(&mut self, name: &str, environment: &ProcessEnvironment) {
        self.variables.insert(name.to_owned(), environment.escaped(name));
    }

    /// Returns true if no input has changed. Calls `stat` once for each file.
    ///
    /// On a machine without cargo, the cached tool stays in use.
    pub(crate) fn is_fresh(&self, environment: &ProcessEnvironment) -> bool {
        environment.find_cargo().is_none_or(|cargo| cargo == self.cargo)
            && self.variables.iter().all(|(name, value)| environment.escaped(name) == *value)
            && self.files.iter().all(|(path, input)| input.stat.is_some() && FileStat::read(path) == input.stat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> ProcessEnvironment {
        ProcessEnvironment::new(variables.iter().map(|(name, value)| (name.into(), value.into())), "/")
    }

    #[test]
    fn a_record_survives_a_round_trip() {
        let trust = environment(&[("FABRS_TRUST", "/a b:/c"), ("SUDO_UID", "1\n")]).trust_key();
        let mut record = BuildRecord { cargo: "/opt/my tools/cargo".into(), trust, ..BuildRecord::default() };
        record.add_variable("A", &environment(&[("A", "two\nlines \"and\" quotes")]));
        record.add_variable("B", &environment(&[]));
        let stat = FileStat { size: 3, modified: 1_700_000_000_123_456_789, changed: -1 };
        record.files.insert("/a b/täsks.rs".into(), Input { is_source: true, stat: Some(stat) });
        record.files.insert("/c".into(), Input { is_source: false, stat: None });
        assert_eq!(BuildRecord::parse(&record.to_text()), Some(record));
    }

    #[test]
    fn a_truncated_or_outdated_record_is_none() {
        let text = BuildRecord { cargo: "/bin/cargo".into(), ..BuildRecord::default() }.to_text();
        assert!(BuildRecord::parse(&text).is_some());
        for end in 0..text.len() {
            assert_eq!(BuildRecord::parse(&text[..end]), None, "{end}");
        }
        assert_eq!(BuildRecord::parse(&text.replace("record 1", "record 2")), None);
    }

    #[test]
    fn a_changed_variable_is_not_fresh() {
        let mut record = BuildRecord::default();
        record.add_variable("RUSTUP_TOOLCHAIN", &environment(&[]));
        assert!(record.is_fresh(&environment(&[])));
        assert!(!record.is_fresh(&environment(&[("RUSTUP_TOOLCHAIN", "nightly")])));
    }

    #[test]
    fn a_changed_missing_or_unrecorded_file_is_not_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.rs");
        fs::write(&file, "one").unwrap();
        let mut record = BuildRecord::default();
        record.files.insert(file.clone(), Input { is_source: true, stat: FileStat::read(&file) });
        assert!(record.is_fresh(&environment(&[])));

        fs::write(&file, "three").unwrap();
        assert!(!record.is_fresh(&environment(&[])));
        fs::remove_file(&file).unwrap();
        assert!(!record.is_fresh(&environment(&[])));

        fs::write(&file, "one").unwrap();
        record.files.insert(file, Input { is_source: true, stat: None });
        assert!(!record.is_fresh(&environment(&[])));
    }
}
