//! Jobs: the entries of a transfer, for both backends.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::checksum::Checksum;
use super::content::Content;
use super::file_fingerprint::FileFingerprint;
use super::patterns::Patterns;
use super::shared::SharedFiles;
use super::transfer_context::TransferContext;
use super::validation::with_argument;
use super::walk::{Item, ItemKind};
use crate::error::{Error, ErrorKind, Result};
use crate::shell::ShellLine;

/// The mode, owner and time of a file on the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) mode: Option<u32>,
    pub(super) owner: Option<Arc<str>>,
    pub(super) group: Option<Arc<str>>,
    /// The modification time in seconds since 1970, if the transfer keeps it.
    pub(super) modified: Option<i64>,
}

/// Options for writing a file on the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct WriteOptions {
    /// Whether the file is read back and its SHA-256 compared.
    pub(super) verifies: bool,
    /// Whether the file is flushed to disk before the rename.
    pub(super) flushes: bool,
    /// Whether the existing file is overwritten, with no rename.
    pub(super) in_place: bool,
    /// Whether the file replaces a symlink itself, and not the target of the link.
    pub(super) over_links: bool,
    pub(super) replaces: ReplacePolicy,
    /// The shell line that validates the file; `%s` is the path.
    pub(super) validation: Option<ShellLine>,
    /// The suffix of the backup.
    pub(super) backup: Option<String>,
}

impl WriteOptions {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an invalid line or suffix.
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

    /// Returns whether checksums of the new and the old file are sent with the content.
    pub(super) fn expects_sums(&self) -> bool {
        self.verifies || matches!(self.replaces, ReplacePolicy::Matching(_))
    }

    /// Returns whether each file needs a step of its own.
    pub(super) fn is_singular(&self) -> bool {
        self.in_place || self.validation.is_some() || self.backup.is_some() || self.replaces != ReplacePolicy::Anything
    }
}

/// The target that a file may replace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum ReplacePolicy {
    #[default]
    Anything,
    /// No target: the file is new.
    Nothing,
    /// No target, or a symlink.
    Link,
    /// A file with this checksum, from which the new content was made.
    Matching(Checksum),
}

/// One entry to put on a host.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) item: Item,
    /// The size and time of a file when it was read.
    pub(super) fingerprint: Option<FileFingerprint>,
    /// The path, or the directory that receives the entry under its own name.
    pub(super) target: OsString,
    pub(super) attributes: Attributes,
    pub(super) write_options: Arc<WriteOptions>,
    /// The description, for another job than a `put`.
    pub(super) called: Option<Arc<str>>,
}

/// The minimum size in bytes of a large file. Large files are sent alone, and in parts if the host can.
pub(super) const LARGE_FILE_SIZE: u64 = 8 << 20;

/// The mode of a new directory.
pub(super) const NEW_DIRECTORY_MODE: u32 = 0o755;

/// One file of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileJob<'a> {
    pub(super) job: &'a Job,
    pub(super) content: &'a Content,
    pub(super) fingerprint: &'a FileFingerprint,
}

/// All entries below one directory of a host.
#[derive(Debug)]
pub(super) struct Tree {
    /// The directory on the host.
    pub(super) root: String,
    pub(super) jobs: Vec<Job>,
    pub(super) attributes: Attributes,
    pub(super) write_options: Arc<WriteOptions>,
    pub(super) mode: TreeMode,
    /// The description.
    pub(super) operation: String,
}

/// The way to write a tree.
#[derive(Debug)]
pub(super) enum TreeMode {
    /// Added to the existing files. Symlinks are followed.
    Put,
    /// Made equal to the local tree.
    Sync(SyncRules),
}

/// The rules of a `sync`.
#[derive(Debug)]
pub(super) struct SyncRules {
    /// Whether files without a local counterpart are removed.
    pub(super) deletes: bool,
    /// The patterns of files to keep.
    pub(super) kept: Patterns,
    /// Whether contents are compared although size and time are equal.
    pub(super) by_checksum: bool,
}

/// Creates the jobs of all items.
///
/// # Errors
///
/// The first error of `job`.
pub(super) fn create_jobs(items: Vec<Item>, job: impl Fn(Item) -> Result<Job>) -> Result<Vec<Job>> {
    // A tree can have many thousands of jobs: allocate no spare capacity.
    let mut jobs = Vec::with_capacity(items.len());
    for item in items {
        jobs.push(job(item)?);
    }
    Ok(jobs)
}

impl FileJob<'_> {
    /// Returns the content of a large file, shared with other hosts of the run.
    pub(super) fn shared(self, context: &TransferContext) -> Option<Content> {
        let run = context.connection.state()?;
        match self.content {
            Content::Path(path) if self.fingerprint.size >= LARGE_FILE_SIZE => {
                Some(Content::Shared(run.extension::<SharedFiles>().get(path, self.fingerprint)))
            }
            _ => None,
        }
    }

    /// Returns the mode of a new file: `0755` if the local file is executable, `0600` for a secret, else `0644`.
    pub(super) fn new_mode(self) -> u32 {
        const RUN: u32 = 0o111;
        match (self.content.secret(), self.fingerprint.mode) {
            (Some(_), _) => 0o600,
            (None, Some(mode)) if mode & RUN != 0 => 0o755,
            (None, _) => 0o644,
        }
    }
}

/// Checks a mode. A common slip is an octal mode written as a decimal number.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for an invalid mode.
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
    /// Returns whether an owner or a group is set.
    pub(super) fn gives_owner(&self) -> bool {
        self.owner.is_some() || self.group.is_some()
    }

    /// Returns the description of a `put`, with `details` and these attributes.
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
        let suffix = if elevated { " by sudo" } else { "" };
        format!("put {source} -> {target}{details}{suffix}")
    }
}

impl Job {
    /// Returns the description.
    pub(super) fn operation(&self, context: &TransferContext) -> String {
        if let Some(called) = &self.called {
            return called.to_string();
        }
        self.attributes.described(&self.item.shown(), &self.shown(), [], context.elevated)
    }

    /// Returns the job of a file, or `None` for another entry.
    pub(super) fn as_file(&self) -> Option<FileJob<'_>> {
        match (&self.item.content, &self.fingerprint) {
            (ItemKind::File(content), Some(fingerprint)) => Some(FileJob { job: self, content, fingerprint }),
            _ => None,
        }
    }

    pub(super) fn is_folder(&self) -> bool {
        matches!(self.item.content, ItemKind::Folder)
    }

    /// Returns the path for messages.
    pub(super) fn shown(&self) -> String {
        self.target.to_string_lossy().into_owned()
    }
}

impl Tree {
    /// Returns the parent directories of the entries, including the root.
    pub(super) fn folders(&self, jobs: &[&Job]) -> Vec<String> {
        let mut folders = BTreeSet::new();
        for job in jobs {
            let folder = job.item.below.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            // A name that is not UTF-8 is created with its content, or reported there.
            folders.extend(Path::new(&self.root).join(folder).to_str().map(str::to_owned));
        }
        folders.into_iter().collect()
    }

    /// Returns whether files without a local counterpart are removed.
    pub(super) fn removes(&self) -> bool {
        matches!(&self.mode, TreeMode::Sync(rules) if rules.deletes)
    }

    /// Returns whether a directory has no entry.
    pub(super) fn is_empty(&self, folder: &Job) -> bool {
        let Some(below) = &folder.item.below else { return false };
        !self.jobs.iter().any(|job| job.item.below.as_deref().and_then(Path::parent) == Some(below))
    }
}
