//! [`LocalTargets`]: the local paths of downloaded files.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use regex::Regex;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::transfer::local_path::LocalPath;
use crate::transfer::tilde::expand_tilde;

/// The default target: one directory for each host.
pub(super) const DEFAULT_TARGET: &str = "{host}/{path}";

/// The local paths of the files of one host.
#[derive(Debug)]
pub(super) struct LocalTargets<'a> {
    host: Option<&'a Host>,
    /// The target, with fields in braces.
    to: &'a str,
    used: Mutex<UsedPaths>,
}

/// The paths in use.
#[derive(Debug, Default)]
struct UsedPaths {
    paths: HashSet<PathBuf>,
    /// Directories without a symlink in their paths.
    directories: HashSet<PathBuf>,
}

impl<'a> LocalTargets<'a> {
    pub(super) fn new(host: Option<&'a Host>, to: &'a str) -> Self {
        Self { host, to, used: Mutex::default() }
    }

    /// Checks that all fields in braces are known.
    pub(super) fn check(&self) -> Result<()> {
        let fields = Regex::new(r"\{([a-z_]+)\}").map_err(|source| {
            Error::new(ErrorKind::Internal, "internal error: invalid regular expression for fields").caused_by(source)
        })?;
        let is_unknown = |field: &str| !["{host}", "{path}", "{dirname}", "{basename}"].contains(&field);
        match fields.find_iter(self.to).map(|found| found.as_str()).find(|field| is_unknown(field)) {
            Some(field) => {
                let text = format!("unknown field `{field}` in `{}`", self.to);
                Err(Error::new(ErrorKind::Usage, text).hint("use `{host}`, `{path}`, `{dirname}` or `{basename}`"))
            }
            None => Ok(()),
        }
    }

    /// Returns the target with the name of the host filled in.
    pub(super) fn shown(&self) -> String {
        self.to.replace("{host}", &self.host_name())
    }

    fn host_name(&self) -> String {
        let host = self.host.map(|host| host.label().to_string()).unwrap_or_default();
        host.replace(['[', ']'], "").replace(':', "-")
    }

    /// Returns the path of a single file.
    pub(super) fn for_file(&self, name: &OsStr) -> Result<LocalPath> {
        let target = self.local(Path::new(name), None)?;
        target.check()?;
        Ok(target)
    }

    /// Returns the path of a match of a pattern.
    pub(super) fn for_match(&self, path: &Path) -> Result<LocalPath> {
        let name = Path::new(base_name(path));
        self.reserve(path, name, name)
    }

    /// Returns true if directories of the host become local directories.
    pub(super) fn keeps_directories(&self) -> bool {
        !self.to.contains("{basename}") || ["{path}", "{dirname}"].iter().any(|field| self.to.contains(field))
    }

    /// Returns the path of an entry `below` a `directory` of the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] for an entry whose path leaves the target.
    pub(super) fn for_entry(&self, directory: &Path, below: &Path) -> Result<LocalPath> {
        let named = match base_name(directory).as_bytes() {
            b"" | b"." | b".." | b"~" => below.to_owned(),
            name => Path::new(OsStr::from_bytes(name)).join(below),
        };
        self.reserve(&directory.join(below), &named, below)
    }

    /// Returns the local path of an entry. A second entry with the same path is an error, and so is
    /// a symlink in the path. Each write checks for symlinks again.
    fn reserve(&self, path: &Path, named: &Path, below: &Path) -> Result<LocalPath> {
        let target = self.local(named, Some(below))?;
        let whole = target.path();
        let mut used = lock(&self.used);
        if let Some(directory) = whole.parent()
            && !used.directories.contains(directory)
        {
            target.check()?;
            used.directories.insert(directory.to_owned());
        }
        if used.paths.insert(whole.clone()) {
            return Ok(target);
        }
        let text = format!("`{}` and another file would both be written to `{}`", path.display(), whole.display());
        Err(Error::new(ErrorKind::Usage, text).hint("add `{path}` to the target"))
    }

    /// Returns the local path of the file at `path` below the source. `below` is the path of the
    /// file in a directory, if `get` writes several files.
    ///
    /// The root is the part of the target before its first field. A host can choose the value of a
    /// field, so the rest of the path is untrusted.
    fn local(&self, path: &Path, below: Option<&Path>) -> Result<LocalPath> {
        let (root, filled) = match self.filled(path) {
            Some(filled) => filled,
            None => (expand_tilde(Path::new(self.to)), PathBuf::new()),
        };
        let has_name_field = ["{path}", "{basename}"].iter().any(|field| self.to.contains(field));
        // A repeated `get` of a directory writes to the same paths. Only a single file is written
        // into an existing directory.
        let is_directory = self.to.ends_with('/') || below.is_none() && root.join(&filled).is_dir();
        let (root, below) = match below {
            _ if has_name_field => (root, filled),
            Some(below) if !is_directory => (root, filled.join(below)),
            None if !is_directory && filled.as_os_str().is_empty() => {
                let name = root.file_name().map(PathBuf::from).unwrap_or_default();
                (root.parent().map(Path::to_owned).unwrap_or_default(), name)
            }
            None if !is_directory => (root, filled),
            _ => (root, filled.join(path)),
        };
        let text = || format!("`{}` would be written outside of `{}`", below.display(), root.display());
        LocalPath::new(root.clone(), &below).ok_or_else(|| Error::new(ErrorKind::File, text()))
    }

    /// Fills in the fields of the target. Returns the directory before the first field, and the
    /// rest of the path. Returns `None` for a target without a field.
    fn filled(&self, path: &Path) -> Option<(PathBuf, PathBuf)> {
        let host = self.host_name();
        let directory = path.parent().unwrap_or(Path::new(""));
        let fields = [
            ("{host}", OsStr::new(&host)),
            ("{path}", path.as_os_str()),
            ("{basename}", base_name(path)),
            ("{dirname}", directory.as_os_str()),
        ];
        let next =
            |rest: &str| fields.iter().filter_map(|(field, value)| Some((rest.find(field)?, *field, *value))).min();
        let (first, ..) = next(self.to)?;
        let typed = self.to.get(..first)?.rfind('/').map_or(0, |at| at + 1);
        let (root, mut rest) = self.to.split_at(typed);
        let mut filled = OsString::new();
        // Fields are filled in one after the other: a host name may contain a field.
        while let Some((at, field, value)) = next(rest) {
            filled.push(rest.get(..at).unwrap_or_default());
            filled.push(value);
            rest = rest.get(at + field.len()..).unwrap_or_default();
            // An empty field must not lead to the file system root.
            if value.is_empty() {
                rest = rest.strip_prefix('/').unwrap_or(rest);
            }
        }
        filled.push(rest);
        Some((expand_tilde(Path::new(root)), PathBuf::from(filled)))
    }
}

/// Returns the last component of a path, also for a path that ends with `/`.
pub(super) fn base_name(path: &Path) -> &OsStr {
    let path = path.as_os_str().as_bytes();
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    let path = path.get(..end).unwrap_or_default();
    let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    OsStr::from_bytes(path.get(start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the root and the path of an entry.
    fn entry(to: &str, directory: &str, below: &str) -> Option<(PathBuf, PathBuf)> {
        let host = "web1".parse().unwrap();
        let target = LocalTargets::new(Some(&host), to).for_entry(Path::new(directory), Path::new(below)).ok()?;
        Some((target.root().to_owned(), target.path()))
    }

    #[test]
    fn the_root_ends_before_the_first_field() {
        for (to, root, path) in [
            ("out/", "out/", "out/x/a/b"),
            ("out", "out", "out/a/b"),
            ("logs/{host}/", "logs/", "logs/web1/x/a/b"),
            ("logs/of-{host}", "logs/", "logs/of-web1/a/b"),
            ("{host}/{path}", "", "web1/x/a/b"),
            ("out/{dirname}/{basename}", "out/", "out/x/a/b"),
        ] {
            assert_eq!(entry(to, "/srv/x", "a/b"), Some((root.into(), path.into())), "{to}");
        }
    }

    #[test]
    fn a_path_of_a_host_stays_below_the_root_and_its_tilde_is_not_expanded() {
        for to in ["{path}", "{dirname}/{basename}"] {
            assert_eq!(entry(to, ".", "~/a"), Some(("".into(), "~/a".into())), "{to}");
        }
        for (to, below) in [("out", "../a"), ("out/", "a/../../../b"), ("{path}", "/a"), ("out/{path}", "../a")] {
            assert_eq!(entry(to, ".", below), None, "{to} {below}");
        }
        assert_eq!(entry("out/{host}/../{path}", ".", "a"), None, "`..` after a field");
    }
}
