//! Decides the [`Action`] for each entry of a tree, from the [`RemoteListing`] of the host.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::listing::{ChecksumMap, RemoteMetadata};
use super::script_lines::PathAccess;
use crate::file_backend::script::dialog_error::DialogError;
use crate::transfer::checksum::Sha256;
use crate::transfer::file_error::{IS_A_DIRECTORY, IS_NOT_A_DIRECTORY};
use crate::transfer::job::{Job, LARGE_FILE_SIZE, NEW_DIRECTORY_MODE, Tree, TreeMode};
use crate::transfer::walk::ItemKind;

/// The set-group-ID bit: new files in the directory get the group of the directory.
pub(crate) const SET_GROUP: u32 = 0o2000;
/// The mode bits kept by a directory for every requested mode.
const SPECIAL_BITS: u32 = 0o7000;

/// The state of the host at the paths of a tree.
#[derive(Debug, Default)]
pub(crate) struct RemoteListing {
    /// Metadata by path below the root. An `OsString` hashes faster than a `Path`.
    metadata: HashMap<OsString, RemoteMetadata>,
    pub(crate) sums: ChecksumMap,
    pub(crate) links: HashMap<OsString, PathBuf>,
    /// Paths with an owner other than the requested owner.
    pub(crate) foreign: HashSet<OsString>,
    /// Symlinks to follow, mount points, and directories that give new entries another group.
    indirect_paths: HashSet<OsString>,
    /// The user and the group of the script.
    me: (u32, u32),
    supports_stream: bool,
}

/// The action for an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// The entry is up to date.
    Keep,
    /// The content is up to date. The metadata changes.
    ChangeMetadata(MetadataChange),
    /// The tar stream contains the entry.
    Stream(StreamEntry),
    /// The entry has a separate upload.
    Separate,
}

/// Returns true for a path that programs on the host print in an ambiguous form.
pub(crate) fn is_ambiguous(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| b"\n\r\\".contains(byte))
}

impl Action {
    /// Returns true if the entry is written, or `None` for a separate upload.
    pub(crate) fn is_written(&self) -> Option<bool> {
        match self {
            Self::Keep => Some(false),
            // A new modification time alone does not count as a change.
            Self::ChangeMetadata(change) => Some(change.mode.is_some() || change.owner),
            Self::Stream(_) => Some(true),
            Self::Separate => None,
        }
    }

    /// Returns the action for an entry with an equal content.
    pub(crate) fn of_change(change: MetadataChange) -> Self {
        if change == MetadataChange::default() { Self::Keep } else { Self::ChangeMetadata(change) }
    }

    /// Returns the action for a host without support for streams.
    pub(crate) fn without_stream(&self) -> Self {
        if *self == Self::Keep { Self::Keep } else { Self::Separate }
    }
}

/// The differences of an existing entry from the requested metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MetadataChange {
    pub(crate) mode: Option<u32>,
    /// True if the owner changes.
    pub(crate) owner: bool,
    pub(crate) modified: Option<i64>,
}

/// The attributes of an entry in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamEntry {
    pub(crate) mode: u32,
    /// The owner of the entry, if the script should try to set the owner.
    pub(crate) owner: Option<(u32, u32)>,
    /// True if the old entry must be set aside first, since a rename cannot replace the old entry.
    pub(crate) replaces: bool,
}

impl From<u32> for StreamEntry {
    /// Creates a new entry with this mode.
    fn from(mode: u32) -> Self {
        Self { mode, owner: None, replaces: false }
    }
}

impl RemoteListing {
    pub(crate) fn at(&self, below: &Path) -> Option<&RemoteMetadata> {
        self.metadata.get(below.as_os_str())
    }

    pub(crate) fn new(
        mode: &TreeMode,
        me: (u32, u32),
        supports_stream: bool,
        metadata: Vec<(OsString, RemoteMetadata)>,
    ) -> Self {
        // If records end with a line break, a file name can imitate a record. Such a record must
        // not contain a path outside the root.
        let is_below = |path: &OsString| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        let metadata = metadata.into_iter().filter(|(path, _)| is_below(path)).collect();
        let mut remote = Self { metadata, me, supports_stream, ..Self::default() };
        remote.find_indirect_paths(mode);
        remote
    }

    /// Returns true if the host can receive a stream.
    pub(crate) fn supports_stream(&self) -> bool {
        self.supports_stream
    }

    pub(crate) fn has_root(&self) -> bool {
        self.at(Path::new("")).is_some()
    }

    /// Returns all paths on the host, without the root.
    pub(crate) fn remote_paths(&self) -> impl Iterator<Item = &Path> {
        self.metadata.keys().filter(|path| !path.is_empty()).map(Path::new)
    }

    /// Finds the indirect paths. All other paths are reached through directories of one file
    /// system. For such a path, a rename from the temporary directory is atomic, and a new entry
    /// has the same group as an entry created in place.
    fn find_indirect_paths(&mut self, mode: &TreeMode) {
        let Some(root) = self.at(Path::new("")).cloned() else { return };
        let gives = |there: &RemoteMetadata| there.mode() & SET_GROUP != 0;
        let is_indirect = |there: &RemoteMetadata| {
            // A new entry is created in the temporary directory, and gets the group of the root.
            let gives_another_group = gives(there) && !(gives(&root) && there.owner.1 == root.owner.1);
            // A sync replaces symlinks, and does not follow them.
            let is_followed = there.is_link() && matches!(mode, TreeMode::Put);
            is_followed || there.is_directory() && (there.device != root.device || gives_another_group)
        };
        let indirect_paths = self.metadata.iter().filter(|(_, there)| is_indirect(there)).map(|(path, _)| path.clone());
        self.indirect_paths = indirect_paths.collect();
    }

    /// Returns the stream entry of a missing path. The entry gets the same group as an entry
    /// created in place.
    pub(crate) fn new_entry(&self, job: &Job, below: &Path, mode: u32) -> StreamEntry {
        let is_given_another = self.root_sets_group() && !self.inherits_group(below) && !job.attributes.gives_owner();
        StreamEntry { mode, owner: is_given_another.then_some(self.me), replaces: false }
    }

    /// Returns true if the temporary files get the group of the root.
    pub(crate) fn root_sets_group(&self) -> bool {
        self.at(Path::new("")).is_some_and(|root| root.mode() & SET_GROUP != 0)
    }

    /// Returns true if a new entry at this path gets the group of its parent directory, and a new
    /// directory also gets the set-group-ID bit.
    pub(crate) fn inherits_group(&self, below: &Path) -> bool {
        let above = below.ancestors().skip(1).find_map(|folder| self.at(folder));
        above.is_some_and(|above| above.mode() & SET_GROUP != 0)
    }

    /// Returns the form of the paths in scripts. If a directory belongs to another user, a script
    /// that runs as root names the entries from inside their directories.
    pub(crate) fn path_access(&self) -> PathAccess {
        let is_of_others = |there: &RemoteMetadata| there.is_directory() && there.owner.0 != 0;
        let among_others = self.me.0 == 0 && self.metadata.values().any(is_of_others);
        if among_others { PathAccess::FromDirectory } else { PathAccess::FullPath }
    }

    /// Returns the user and the group of the script.
    pub(crate) fn me(&self) -> (u32, u32) {
        self.me
    }

    /// Returns true if another user could replace a file changed by root.
    fn is_in_foreign_directory(&self, below: &Path) -> bool {
        let folder = below.parent().and_then(|folder| self.at(folder));
        self.me.0 == 0 && folder.is_some_and(|folder| folder.owner.0 != 0)
    }

    fn is_direct(&self, below: &Path) -> bool {
        self.indirect_paths.is_empty()
            || !below.ancestors().skip(1).any(|folder| self.indirect_paths.contains(folder.as_os_str()))
    }

    /// Returns the files of equal size, whose contents must be compared.
    pub(crate) fn size_matches<'a>(&self, tree: &'a Tree) -> impl Iterator<Item = (usize, &'a Path)> {
        tree.jobs.iter().enumerate().filter_map(|(n, job)| {
            let (below, file) = (job.item.below.as_deref()?, job.as_file()?);
            let there = self.at(below).filter(|there| there.is_file() && there.size == file.fingerprint.size)?;
            let is_known = match &tree.mode {
                TreeMode::Put => false,
                TreeMode::Sync(rules) => !rules.by_checksum && file.fingerprint.modified() == Some(there.modified),
            };
            (!is_known && !self.is_separate(job, below)).then_some((n, below))
        })
    }

    /// Returns the replaced files with other hard links on the host.
    pub(crate) fn broken_hard_links<'a>(&self, tree: &'a Tree, actions: &[Action]) -> Vec<&'a Path> {
        let replaced = tree.jobs.iter().zip(actions).filter(|(_, action)| matches!(action, Action::Stream(_)));
        let paths = replaced.filter_map(|(job, _)| job.item.below.as_deref());
        paths.filter(|below| self.at(below).is_some_and(|there| there.is_file() && there.hard_links > 1)).collect()
    }

    /// Returns the existing symlinks at the paths of symlinks of the tree.
    pub(crate) fn remote_links<'a>(&'a self, tree: &'a Tree) -> impl Iterator<Item = &'a Path> {
        tree.jobs.iter().filter(|job| matches!(job.item.content, ItemKind::Link(_))).filter_map(|job| {
            let below = job.item.below.as_deref()?;
            self.at(below).filter(|there| there.is_link()).map(|_| below)
        })
    }

    /// Returns true if an entry needs a separate upload in every case.
    pub(crate) fn is_separate(&self, job: &Job, below: &Path) -> bool {
        let by_content = match (&job.item.content, job.as_file()) {
            (_, Some(file)) => {
                file.fingerprint.size >= LARGE_FILE_SIZE
                    || file.content.secret().is_some()
                    || job.write_options.needs_separate_uploads()
            }
            // The tar crate would normalise the target of the symlink.
            (ItemKind::Link(to), _) => to.components().collect::<PathBuf>().as_os_str() != to.as_os_str(),
            _ => false,
        };
        is_ambiguous(below) || by_content || !self.is_direct(below)
    }

    /// Decides the actions of all entries. `here` has the local checksums of the files with equal
    /// size, by job index.
    pub(crate) fn actions(&self, tree: &Tree, here: &HashMap<usize, Sha256>) -> Result<Vec<Action>, DialogError> {
        let each = tree.jobs.iter().enumerate();
        match &tree.mode {
            TreeMode::Put => each.map(|(n, job)| self.action(tree, job, here.get(&n).copied())).collect(),
            TreeMode::Sync(rules) => {
                each.map(|(n, job)| self.action_in_sync(tree, rules, job, here.get(&n).copied())).collect()
            }
        }
    }

    fn action(&self, tree: &Tree, job: &Job, here: Option<Sha256>) -> Result<Action, DialogError> {
        let Some(below) = job.item.below.as_deref() else { return Ok(Action::Separate) };
        let obstacle = |why: &str| DialogError::Obstacle(format!("{}/{}{why}", tree.root, below.display()));
        let there = self.at(below);
        match (&job.item.content, there) {
            (ItemKind::Directory, None) if !self.is_separate(job, below) => {
                Ok(Action::Stream(self.new_entry(job, below, NEW_DIRECTORY_MODE)))
            }
            (ItemKind::Directory, None) => Ok(Action::Separate),
            (ItemKind::Directory, Some(there)) if there.is_directory() => Ok(Action::Keep),
            // The upload of the entry checks if the symlink leads to a directory.
            (ItemKind::Directory, Some(there)) if there.is_link() => Ok(Action::Separate),
            (ItemKind::Directory, Some(_)) => Err(obstacle(IS_NOT_A_DIRECTORY)),
            (_, Some(there)) if there.is_directory() => Err(obstacle(IS_A_DIRECTORY)),
            _ if self.is_separate(job, below) => Ok(Action::Separate),
            (ItemKind::Link(to), there) => Ok(self.action_for_link(job, below, to, there)),
            (ItemKind::File(_), None) => {
                let mode = job.attributes.mode.or_else(|| Some(job.as_file()?.new_mode())).unwrap_or(SYMLINK_MODE);
                Ok(Action::Stream(self.new_entry(job, below, mode)))
            }
            // The file behind the symlink is replaced, not the symlink.
            (ItemKind::File(_), Some(there)) if !there.is_file() => Ok(Action::Separate),
            (ItemKind::File(_), Some(there)) => Ok(match (here, self.sums.of(below)) {
                (Some(here), Some(sum)) if here == sum => self.keep_or_change_mode(job, below, there),
                // The host has no checksum program. The upload compares the received content.
                (Some(_), None) => Action::Separate,
                _ => Action::Stream(self.replacement(job, there, job.attributes.mode.unwrap_or(there.mode()))),
            }),
        }
    }

    fn action_for_link(&self, job: &Job, below: &Path, to: &Path, there: Option<&RemoteMetadata>) -> Action {
        match there {
            Some(there) if self.links.get(below.as_os_str()).is_some_and(|link| link == to) => {
                self.keep_or_change_mode(job, below, there)
            }
            Some(there) => Action::Stream(self.replacement(job, there, SYMLINK_MODE)),
            None => Action::Stream(self.new_entry(job, below, SYMLINK_MODE)),
        }
    }

    /// Returns the action for an entry with an equal content.
    fn keep_or_change_mode(&self, job: &Job, below: &Path, there: &RemoteMetadata) -> Action {
        self.metadata_change(
            job,
            below,
            there,
            MetadataChange { mode: job.attributes.mode, ..MetadataChange::default() },
        )
    }

    /// Returns the action for an entry with an equal content and possibly different metadata.
    pub(crate) fn metadata_change(
        &self,
        job: &Job,
        below: &Path,
        there: &RemoteMetadata,
        wanted: MetadataChange,
    ) -> Action {
        let mode = wanted.mode.map(|mode| if there.is_directory() { mode | there.mode() & SPECIAL_BITS } else { mode });
        let mode = mode.filter(|mode| !there.is_link() && *mode != there.mode());
        match mode {
            Some(mode) if there.is_file() && self.is_in_foreign_directory(below) => {
                Action::Stream(self.replacement(job, there, mode))
            }
            mode => {
                Action::of_change(MetadataChange { mode, owner: self.foreign.contains(below.as_os_str()), ..wanted })
            }
        }
    }

    /// Returns the stream entry to replace an existing entry.
    pub(crate) fn replacement(&self, job: &Job, there: &RemoteMetadata, mode: u32) -> StreamEntry {
        StreamEntry { mode, owner: self.kept_owner(job, there), replaces: false }
    }

    /// Returns the owner of the replaced file, if the new file should keep the owner.
    fn kept_owner(&self, job: &Job, there: &RemoteMetadata) -> Option<(u32, u32)> {
        let is_requested = job.attributes.gives_owner();
        (!is_requested && there.owner != self.me).then_some(there.owner)
    }
}

/// The mode of every symlink.
pub(crate) const SYMLINK_MODE: u32 = 0o777;

/// Returns the missing directories: those of the tree, and all parent directories of entries.
pub(crate) fn new_folders(remote: &RemoteListing, tree: &Tree, actions: &[Action]) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    for (job, action) in tree.jobs.iter().zip(actions) {
        let (Some(below), Action::Stream(_) | Action::Separate) = (job.item.below.as_deref(), action) else { continue };
        let is_directory = matches!(job.item.content, ItemKind::Directory);
        // The separate upload of a directory creates the directory, and reports it as written.
        let is_above = !is_directory || *action == Action::Separate;
        for folder in below.ancestors().skip(usize::from(is_above)) {
            let is_new = match (remote.at(folder), &tree.mode) {
                (None, _) => remote.is_direct(folder),
                (Some(there), TreeMode::Sync(_)) => !there.is_directory(),
                (Some(_), TreeMode::Put) => false,
            };
            if is_new && !folder.as_os_str().is_empty() {
                directories.insert(folder.to_owned());
            }
        }
    }
    directories
}
