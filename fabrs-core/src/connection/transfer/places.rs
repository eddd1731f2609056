//! Where what is got goes on this machine.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use regex::Regex;

use super::home::at_home;
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
    given: Mutex<Given>,
}

/// What has been given out so far.
#[derive(Debug, Default)]
struct Given {
    places: HashSet<PathBuf>,
    /// Folders that are no symlinks.
    folders: HashSet<PathBuf>,
}

/// A place on this machine.
struct Local {
    path: PathBuf,
    /// The part of it that the host has no say in.
    root: PathBuf,
}

impl<'a> Places<'a> {
    pub(super) fn new(host: Option<&'a Host>, path: &'a str, to: &'a str) -> Self {
        Self { host, path, to, given: Mutex::default() }
    }

    /// Fails where something else than a field is in braces.
    pub(super) fn check(&self) -> Result<()> {
        let fields = Regex::new(r"\{([a-z_]+)\}")
            .map_err(|source| Error::new(ErrorKind::Internal, "the pattern of fields is none").caused_by(source))?;
        let is_none = |field: &str| !["{host}", "{path}", "{dirname}", "{basename}"].contains(&field);
        match fields.find_iter(self.to).map(|found| found.as_str()).find(|field| is_none(field)) {
            Some(field) => {
                let text = format!("`{field}` in `{}` stands for nothing", self.to);
                Err(Error::new(ErrorKind::Usage, text)
                    .hint("there are `{host}`, `{path}`, `{dirname}` and `{basename}`"))
            }
            None => Ok(()),
        }
    }

    /// Returns the target with the name of the host in it.
    pub(super) fn shown(&self) -> String {
        self.to.replace("{host}", &self.host_name())
    }

    fn host_name(&self) -> String {
        let host = self.host.map(|host| host.label().to_string()).unwrap_or_default();
        host.replace(['[', ']'], "").replace(':', "-")
    }

    /// Returns the place of the one file that was asked for.
    pub(super) fn of_file(&self, name: &OsStr) -> PathBuf {
        self.local(Path::new(name), None).path
    }

    /// Returns the place of one of several files.
    pub(super) fn of_match(&self, path: &Path) -> Result<PathBuf> {
        let name = Path::new(base_name(path));
        self.give(path, name, name)
    }

    /// Tells whether folders of the host are folders here too.
    pub(super) fn keep_folders(&self) -> bool {
        !self.to.contains("{basename}") || ["{path}", "{dirname}"].iter().any(|field| self.to.contains(field))
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
        let Local { path: place, root } = self.local(named, Some(below));
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        // One that the host has sent before would lead what it sends now to wherever it wants.
        for folder in place.ancestors().skip(1).take_while(|folder| *folder != root && folder.starts_with(&root)) {
            if given.folders.contains(folder) {
                break;
            }
            if folder.is_symlink() {
                let text =
                    format!("`{}` is a symlink here, through which nothing of a host is written", folder.display());
                return Err(
                    Error::new(ErrorKind::Local, text).hint("remove it, or get into the folder that it leads to")
                );
            }
            given.folders.insert(folder.to_owned());
        }
        if given.places.insert(place.clone()) {
            return Ok(place);
        }
        let text = format!("`{}` and another file would both be written to `{}`", path.display(), place.display());
        Err(Error::new(ErrorKind::Usage, text).hint("`{path}` tells them apart"))
    }

    /// Returns where a file goes that stands at `path` below what was asked for; `below` it in a folder, where it came
    /// out of one or is one of several.
    fn local(&self, path: &Path, below: Option<&Path>) -> Local {
        let host = self.host_name();
        let folder = path.parent().unwrap_or(Path::new(""));
        let fields = [
            ("{host}", OsStr::new(&host)),
            ("{path}", path.as_os_str()),
            ("{basename}", base_name(path)),
            ("{dirname}", folder.as_os_str()),
        ];
        let has_a_place = ["{path}", "{basename}"].iter().any(|field| self.to.contains(field));
        let mut to = Vec::new();
        let mut before = None;
        let mut rest = self.to;
        // Field after field, so that what a host is called is not read as a field.
        while let Some((at, field, value)) =
            fields.iter().filter_map(|(field, value)| Some((rest.find(field)?, *field, *value))).min()
        {
            to.extend_from_slice(rest.get(..at).unwrap_or_default().as_bytes());
            if field != "{host}" {
                before.get_or_insert(to.len());
            }
            to.extend_from_slice(value.as_bytes());
            rest = rest.get(at + field.len()..).unwrap_or_default();
            // What is in no folder is in none here either, and not in the root.
            if value.is_empty() {
                rest = rest.strip_prefix('/').unwrap_or(rest);
            }
        }
        to.extend_from_slice(rest.as_bytes());
        // Of a name that only begins there the folder that it is in.
        let before = before.unwrap_or(to.len()).min(to.len());
        let before = to.get(..before).unwrap_or_default();
        let end = before.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        let root = at_home(Path::new(OsStr::from_bytes(before.get(..end).unwrap_or_default())));
        let to = at_home(Path::new(&OsString::from_vec(to)));
        // A folder comes to the same place the second time; a file goes into a folder that is there.
        let is_folder = self.to.ends_with('/') || below.is_none() && to.is_dir();
        match below {
            _ if has_a_place => Local { path: to, root },
            Some(below) if !is_folder => Local { path: to.join(below), root: to },
            None if !is_folder => Local { path: to, root },
            _ => Local { path: to.join(path), root: to },
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
