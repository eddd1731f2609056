//! What a transfer has to do, whichever way it goes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::blob::Blob;
use super::patterns::Patterns;
use super::place::Place;
use super::shared::Shared;
use super::stamp::Stamp;
use super::sum::Sum;
use super::validation::with_argument;
use super::walk::{Content, Item};
use crate::error::{Error, ErrorKind, Result};
use crate::shell::ShellLine;

/// How a file is to be on the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) mode: Option<u32>,
    pub(super) owner: Option<Arc<str>>,
    pub(super) group: Option<Arc<str>>,
    /// When it was changed last, in seconds since 1970, where that is kept.
    pub(super) modified: Option<i64>,
}

/// How a file lands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Landing {
    /// Whether it is read back and its SHA-256 compared.
    pub(super) verifies: bool,
    /// Whether it is on the disk before it takes its place.
    pub(super) flushes: bool,
    /// Whether it is written into the file that is there, rather than renamed over it.
    pub(super) in_place: bool,
    /// Whether it takes the place of a symlink, rather than of what that leads to.
    pub(super) over_links: bool,
    pub(super) replaces: Replaces,
    /// A line that has to find nothing wrong with it, in which `%s` is its path.
    pub(super) validation: Option<ShellLine>,
    /// What the name of a copy of the old one ends with.
    pub(super) backup: Option<String>,
}

impl Landing {
    /// Fails where what was said of it means nothing.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(line) = &self.validation {
            with_argument(line.as_str())?;
        }
        if self.backup.as_deref().is_some_and(|suffix| suffix.is_empty() || suffix.contains('/')) {
            return Err(Error::new(
                ErrorKind::Usage,
                "the name of a copy has to end with something, without a `/` in it",
            ));
        }
        Ok(())
    }

    /// Tells whether sums come with the content: of what is to arrive, and of what that is to replace.
    pub(super) fn expects_sums(&self) -> bool {
        self.verifies || matches!(self.replaces, Replaces::This(_))
    }

    /// Tells whether something is to be done with each file by itself.
    pub(super) fn is_singular(&self) -> bool {
        self.in_place || self.validation.is_some() || self.backup.is_some() || self.replaces != Replaces::Anything
    }
}

/// What a file may replace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Replaces {
    #[default]
    Anything,
    /// It is to be new.
    Nothing,
    /// It is to be new, or to replace a symlink.
    Link,
    /// It was made out of this.
    This(Sum),
}

/// One entry to put on a host.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) item: Item,
    /// How the content was when it was looked at, where it is a file.
    pub(super) stamp: Option<Stamp>,
    /// Its path, or the folder that keeps it under its own name.
    pub(super) target: OsString,
    pub(super) attributes: Attributes,
    pub(super) landing: Arc<Landing>,
    /// What it is called, where that is not to put it.
    pub(super) called: Option<Arc<str>>,
}

/// From here on a file is large: it goes by itself, and in parts where it can.
pub(super) const LARGE: u64 = 8 << 20;

/// The mode of a folder that was not there.
pub(super) const NEW_FOLDER: u32 = 0o755;

/// One file of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileJob<'a> {
    pub(super) job: &'a Job,
    pub(super) content: &'a Blob,
    pub(super) stamp: &'a Stamp,
}

/// All that is put below one folder of a host.
#[derive(Debug)]
pub(super) struct Tree {
    /// The folder on the host.
    pub(super) root: String,
    pub(super) jobs: Vec<Job>,
    pub(super) attributes: Attributes,
    pub(super) landing: Arc<Landing>,
    pub(super) manner: Manner,
    /// Says in words what is done.
    pub(super) what: String,
}

/// How a tree comes to its place.
#[derive(Debug)]
pub(super) enum Manner {
    /// Beside what else is there, and through the symlinks that are.
    Put,
    /// As the equal of the one here.
    Sync(Rules),
}

/// What makes a tree the equal of another.
#[derive(Debug)]
pub(super) struct Rules {
    /// Whether what is not here is removed there.
    pub(super) deletes: bool,
    /// What is not removed.
    pub(super) kept: Patterns,
    /// Whether contents are compared also where size and time are the same.
    pub(super) by_checksum: bool,
}

/// Makes the jobs of all items, or tells what is wrong with one.
pub(super) fn all_of(items: Vec<Item>, job: impl Fn(Item) -> Result<Job>) -> Result<Vec<Job>> {
    // Thousands are kept as long as it takes: no more room than they need.
    let mut jobs = Vec::with_capacity(items.len());
    for item in items {
        jobs.push(job(item)?);
    }
    Ok(jobs)
}

impl FileJob<'_> {
    /// Returns the content of a large file as one that may go to other hosts of the run too.
    pub(super) fn shared(self, place: &Place) -> Option<Blob> {
        let client = place.connection.client()?;
        match self.content {
            Blob::Path(path) if self.stamp.size >= LARGE => {
                Some(Blob::Shared(Arc::new(client.shared::<Shared>().join(path, self.stamp))))
            }
            _ => None,
        }
    }

    /// Returns the mode of a new file: one that can be run here can be run there, and a secret is for nobody else.
    pub(super) fn new_mode(self) -> u32 {
        const RUN: u32 = 0o111;
        match (self.content.secret(), self.stamp.mode) {
            (Some(_), _) => 0o600,
            (None, Some(mode)) if mode & RUN != 0 => 0o755,
            (None, _) => 0o644,
        }
    }
}

/// Fails where a mode is none, or the usual slip: what is meant as octal and written as decimal.
pub(super) fn check_mode(mode: Option<u32>) -> Result<()> {
    const ALL: u32 = 0o7777;
    const SLIPS: [u32; 12] = [600, 640, 644, 660, 664, 666, 700, 750, 755, 770, 775, 777];
    match mode {
        Some(mode) if SLIPS.contains(&mode) || mode > ALL => {
            let error = Error::new(ErrorKind::Usage, format!("{mode} is no mode of a file: as octal it is {mode:#o}"));
            Err(error.hint("modes are octal: `0o644`"))
        }
        _ => Ok(()),
    }
}

impl Attributes {
    /// Tells whether it is said whom the files are to belong to.
    pub(super) fn gives_owner(&self) -> bool {
        self.owner.is_some() || self.group.is_some()
    }

    /// Says in words what is put where, with more `details` and these attributes.
    pub(super) fn described<const N: usize>(
        &self,
        source: &str,
        target: &str,
        details: [Option<String>; N],
        elevated: bool,
    ) -> String {
        let of_these = [
            self.mode.map(|mode| format!("mode {mode:04o}")),
            self.owner.as_ref().map(|owner| format!("owner {owner}")),
            self.group.as_ref().map(|group| format!("group {group}")),
        ];
        let details: Vec<_> = details.into_iter().chain(of_these).flatten().collect();
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        let by = if elevated { " by sudo" } else { "" };
        format!("put {source} -> {target}{details}{by}")
    }
}

impl Job {
    /// Says in words what is done.
    pub(super) fn what(&self, place: &Place) -> String {
        if let Some(called) = &self.called {
            return called.to_string();
        }
        self.attributes.described(&self.item.shown(), &self.shown(), [], place.elevated)
    }

    /// Returns it as the job of a file, where it is one.
    pub(super) fn as_file(&self) -> Option<FileJob<'_>> {
        match (&self.item.content, &self.stamp) {
            (Content::File(content), Some(stamp)) => Some(FileJob { job: self, content, stamp }),
            _ => None,
        }
    }

    pub(super) fn is_folder(&self) -> bool {
        matches!(self.item.content, Content::Folder)
    }

    /// Returns its path as it is shown.
    pub(super) fn shown(&self) -> String {
        self.target.to_string_lossy().into_owned()
    }
}

impl Tree {
    /// Returns the folders that some of its entries are in, with the root.
    pub(super) fn folders(&self, jobs: &[&Job]) -> Vec<String> {
        let mut folders = BTreeSet::new();
        for job in jobs {
            let folder = job.item.below.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            // A name that can't be said is made with what is in it, or that fails and says why.
            folders.extend(Path::new(&self.root).join(folder).to_str().map(str::to_owned));
        }
        folders.into_iter().collect()
    }

    /// Tells whether what is not here is removed there.
    pub(super) fn removes(&self) -> bool {
        matches!(&self.manner, Manner::Sync(rules) if rules.deletes)
    }

    /// Tells whether no entry is in a folder.
    pub(super) fn is_empty(&self, folder: &Job) -> bool {
        let Some(below) = &folder.item.below else { return false };
        !self.jobs.iter().any(|job| job.item.below.as_deref().and_then(Path::parent) == Some(below))
    }
}
