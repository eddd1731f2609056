//! Upload jobs, shared by both backends: [`Job`] for one entry, [`Tree`] for a directory.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::checksum::Checksum;
use super::content::UploadContent;
use super::context::TransferContext;
use super::file_fingerprint::FileFingerprint;
use super::patterns::Patterns;
use super::shared::SharedFiles;
use super::validation::{check_has_path, with_argument};
use super::walk::{Item, ItemKind};
use crate::error::{Error, ErrorKind, Result};
use crate::shell::ShellLine;

/// The mode, owner, group and modification time of a file on the host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) group: Option<Arc<str>>,
    /// The modification time in seconds since 1970, or `None` to leave the time of the write.
    pub(crate) modified: Option<i64>,
}

/// The options of a write on the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct WriteOptions {
    /// True if the file is read back and its SHA-256 is compared.
    pub(crate) verifies: bool,
    /// True if the file is flushed to disk before the rename.
    pub(crate) flushes: bool,
    /// True if the existing file is overwritten, with no rename.
    pub(crate) in_place: bool,
    /// True if a symlink at the target is replaced. Otherwise the symlink is followed.
    pub(crate) replaces_symlinks: bool,
    pub(crate) replaces: ReplacePolicy,
    /// The shell line for the validation before the rename, with `%s` for the path.
    pub(crate) validation: Option<ShellLine>,
    /// The shell line for the validation after the rename.
    pub(crate) live_validation: Option<ShellLine>,
    /// The suffix of the backup copy.
    pub(crate) backup: Option<String>,
}

impl WriteOptions {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an invalid line or suffix, or options that exclude each other.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(line) = &self.validation {
            check_has_path(line.as_str())?;
        }
        if let Some(line) = &self.live_validation {
            with_argument(line.as_str())?;
            if self.in_place {
                let text = "`.validate_live(..)` cannot restore a file that `.in_place()` overwrites";
                return Err(Error::new(ErrorKind::Usage, text).hint("remove `.in_place()`"));
            }
        }
        if self.backup.as_deref().is_some_and(|suffix| suffix.is_empty() || suffix.contains('/')) {
            return Err(Error::new(ErrorKind::Usage, "the suffix of a backup must not be empty or contain `/`"));
        }
        Ok(())
    }

    /// Returns true if the host needs checksums of the new or old content.
    pub(crate) fn expects_sums(&self) -> bool {
        self.verifies || matches!(self.replaces, ReplacePolicy::Matching(_))
    }

    /// Returns true if SFTP does not support the options.
    pub(crate) fn needs_shell(&self) -> bool {
        self.in_place || self.validation.is_some() || self.live_validation.is_some() || self.backup.is_some()
    }

    /// Returns true if each file needs a separate upload.
    pub(crate) fn needs_separate_uploads(&self) -> bool {
        self.needs_shell() || self.replaces != ReplacePolicy::Anything
    }
}

/// The files that a write may replace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ReplacePolicy {
    #[default]
    Anything,
    /// No file: the target must not exist.
    Nothing,
    /// No file, or a symlink.
    Link,
    /// A file with this checksum. The new content is derived from the old content.
    Matching(Checksum),
}

/// The upload of one entry.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) item: Item,
    /// The fingerprint of the local file, or `None` for a directory or symlink.
    pub(crate) fingerprint: Option<FileFingerprint>,
    /// The path on the host, or the directory for a file that keeps its own name.
    pub(crate) target: OsString,
    pub(crate) attributes: Attributes,
    pub(crate) write_options: Arc<WriteOptions>,
    /// The description of the operation, if other than a `put`.
    pub(crate) description: Option<Arc<str>>,
}

/// The minimum size in bytes of a large file. Large files are sent separately, and in parts if the
/// host supports parts.
pub(crate) const LARGE_FILE_SIZE: u64 = 8 << 20;

/// The mode of a new directory.
pub(crate) const NEW_DIRECTORY_MODE: u32 = 0o755;

/// The job of a file, with its content and fingerprint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileJob<'a> {
    pub(crate) job: &'a Job,
    pub(crate) content: &'a UploadContent,
    pub(crate) fingerprint: &'a FileFingerprint,
}

/// The upload of all entries below one directory of a host.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The directory on the host.
    pub(crate) root: String,
    pub(crate) jobs: Vec<Job>,
    pub(crate) attributes: Attributes,
    pub(crate) write_options: Arc<WriteOptions>,
    pub(crate) mode: TreeMode,
    /// The description of the operation.
    pub(crate) operation: String,
}

/// The mode of a tree upload.
#[derive(Debug)]
pub(crate) enum TreeMode {
    /// Adds the entries to the existing files. Symlinks are followed.
    Put,
    /// Makes the directory equal to the local directory.
    Sync(SyncRules),
}

/// The options of a `sync`.
#[derive(Debug)]
pub(crate) struct SyncRules {
    /// True if files without a local counterpart are removed.
    pub(crate) deletes: bool,
    /// The patterns of protected files.
    pub(crate) kept: Patterns,
    /// True if contents are compared even for equal size and time.
    pub(crate) by_checksum: bool,
}

/// Creates the jobs of all entries.
///
/// # Errors
///
/// The first error of `job`.
pub(crate) fn create_jobs(items: Vec<Item>, job: impl Fn(Item) -> Result<Job>) -> Result<Vec<Job>> {
    // A tree may have many thousands of jobs: this allocates no spare capacity.
    let mut jobs = Vec::with_capacity(items.len());
    for item in items {
        jobs.push(job(item)?);
    }
    Ok(jobs)
}

impl FileJob<'_> {
    /// Returns the content of a large file, shared with the uploads to other hosts of the run.
    pub(crate) fn shared(self, context: &TransferContext) -> Option<UploadContent> {
        let run = context.connection.state()?;
        match self.content {
            UploadContent::Path(path) if self.fingerprint.size >= LARGE_FILE_SIZE => {
                Some(UploadContent::Shared(run.extension::<SharedFiles>().get(path, self.fingerprint)))
            }
            _ => None,
        }
    }

    /// Returns the mode of a new file: `0600` for a secret, `0755` if the local file is executable,
    /// and `0644` otherwise.
    pub(crate) fn new_mode(self) -> u32 {
        const RUN: u32 = 0o111;
        match (self.content.secret(), self.fingerprint.mode) {
            (Some(_), _) => 0o600,
            (None, Some(mode)) if mode & RUN != 0 => 0o755,
            (None, _) => 0o644,
        }
    }
}

/// Checks a mode. A common mistake is a decimal number, such as `644`.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for an invalid mode.
pub(crate) fn check_mode(mode: Option<u32>) -> Result<()> {
    const ALL: u32 = 0o7777;
    const DECIMAL_MISTAKES: [u32; 12] = [600, 640, 644, 660, 664, 666, 700, 750, 755, 770, 775, 777];
    match mode {
        Some(mode) if DECIMAL_MISTAKES.contains(&mode) || mode > ALL => {
            let error = Error::new(ErrorKind::Usage, format!("invalid file mode {mode} ({mode:#o} in octal)"));
            Err(error.hint("write the mode in octal: `0o644`"))
        }
        _ => Ok(()),
    }
}

impl Attributes {
    /// Returns true if an owner or a group is set.
    pub(crate) fn gives_owner(&self) -> bool {
        self.owner.is_some() || self.group.is_some()
    }

    /// Returns the description of a `put`, with `details` and these attributes.
    pub(crate) fn described<const N: usize>(
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
    /// Returns the description of the operation.
    pub(crate) fn operation(&self, context: &TransferContext) -> String {
        if let Some(description) = &self.description {
            return description.to_string();
        }
        self.attributes.described(&self.item.shown(), &self.shown(), [], context.elevated)
    }

    /// Returns the job of a file, or `None` for another entry.
    pub(crate) fn as_file(&self) -> Option<FileJob<'_>> {
        match (&self.item.content, &self.fingerprint) {
            (ItemKind::File(content), Some(fingerprint)) => Some(FileJob { job: self, content, fingerprint }),
            _ => None,
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.item.content, ItemKind::Directory)
    }

    /// Returns the path for messages.
    pub(crate) fn shown(&self) -> String {
        self.target.to_string_lossy().into_owned()
    }
}

impl Tree {
    /// Returns the parent directories of the entries, including the root.
    pub(crate) fn directories(&self, jobs: &[&Job]) -> Vec<String> {
        let mut directories = BTreeSet::new();
        for job in jobs {
            let directory = job.item.below.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            // The upload of an entry creates, or reports, a parent directory with a name that is
            // not UTF-8.
            directories.extend(Path::new(&self.root).join(directory).to_str().map(str::to_owned));
        }
        directories.into_iter().collect()
    }

    /// Returns true if files without a local counterpart are removed.
    pub(crate) fn removes(&self) -> bool {
        matches!(&self.mode, TreeMode::Sync(rules) if rules.deletes)
    }

    /// Returns true if a directory has no entry.
    pub(crate) fn is_empty(&self, directory: &Job) -> bool {
        let Some(below) = &directory.item.below else { return false };
        !self.jobs.iter().any(|job| job.item.below.as_deref().and_then(Path::parent) == Some(below))
    }
}
