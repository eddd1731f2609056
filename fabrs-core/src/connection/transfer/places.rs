//! Where what is got goes on this machine.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::source::at_home;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

/// Where files of several hosts go when nothing is said.
pub(super) const EVERYWHERE: &str = "{host}/{path}";

/// The places on this machine of what is got from one host.
#[derive(Debug)]
pub(super) struct Places<'a> {
    host: Option<&'a Host>,
    /// What was asked for.
    path: &'a str,
    /// Where it goes, with fields in braces.
    to: &'a str,
    given: Mutex<HashSet<PathBuf>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(host: Option<&'a Host>, path: &'a str, to: &'a str) -> Self {
        Self { host, path, to, given: Mutex::default() }
    }

    /// Returns the place of the one file that was asked for.
    pub(super) fn of_file(&self, name: &OsStr) -> PathBuf {
        self.local(Path::new(name), None)
    }

    /// Returns the place of one of several files.
    pub(super) fn of_match(&self, path: &Path) -> Result<PathBuf> {
        let name = Path::new(base_name(path));
        self.give(path, name, name)
    }

    /// Returns the place of what is `below` a `folder` of the host: which says what is in it, and a name of its choice must
    /// not lead out of ours.
    pub(super) fn of_entry(&self, folder: &Path, below: &Path) -> Result<PathBuf> {
        let named = match base_name(folder).as_bytes() {
            b"" | b"." | b".." | b"~" => below.to_owned(),
            name => Path::new(OsStr::from_bytes(name)).join(below),
        };
        self.give(&folder.join(below), &named, below)
    }

    fn give(&self, path: &Path, named: &Path, below: &Path) -> Result<PathBuf> {
        let leads_out = |name: &Path| name.components().any(|part| !matches!(part, Component::Normal(_)));
        if leads_out(named) || leads_out(below) {
            let text = format!("`{}` of the host would be written outside of where it belongs", self.path);
            return Err(Error::new(ErrorKind::File, text));
        }
        let place = self.local(named, Some(below));
        if self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
            return Ok(place);
        }
        let text = format!("`{}` and another file would both be written to `{}`", path.display(), place.display());
        Err(Error::new(ErrorKind::Usage, text).hint("`{path}` tells them apart"))
    }

    /// Returns where a file goes that stands at `path` below what was asked for; `below` it in a folder, where it came
    /// out of one or is one of several.
    fn local(&self, path: &Path, below: Option<&Path>) -> PathBuf {
        let host = self.host.map(|host| host.label().to_string()).unwrap_or_default();
        let host = host.replace(['[', ']'], "").replace(':', "-");
        let folder = path.parent().unwrap_or(Path::new(""));
        let fields = [
            ("{host}", OsStr::new(&host)),
            ("{path}", path.as_os_str()),
            ("{basename}", base_name(path)),
            ("{dirname}", folder.as_os_str()),
        ];
        let has_a_place = ["{path}", "{basename}"].iter().any(|field| self.to.contains(field));
        let mut to = Vec::new();
        let mut rest = self.to;
        // Field after field, so that what a host is called is not read as a field.
        while let Some((at, field, value)) =
            fields.iter().filter_map(|(field, value)| Some((rest.find(field)?, *field, *value))).min()
        {
            to.extend_from_slice(rest.get(..at).unwrap_or_default().as_bytes());
            to.extend_from_slice(value.as_bytes());
            rest = rest.get(at + field.len()..).unwrap_or_default();
        }
        to.extend_from_slice(rest.as_bytes());
        let to = at_home(Path::new(&OsString::from_vec(to)));
        let is_folder = self.to.ends_with('/') || to.is_dir();
        match below {
            _ if has_a_place => to,
            Some(below) if !is_folder => to.join(below),
            None if !is_folder => to,
            _ => to.join(path),
        }
    }
}

/// Returns the last name of a path.
pub(super) fn base_name(path: &Path) -> &OsStr {
    let path = path.as_os_str().as_bytes();
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    let path = path.get(..end).unwrap_or_default();
    let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    OsStr::from_bytes(path.get(start..).unwrap_or_default())
}
