//! Scripts to rename received files into place, and set their metadata.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::action::{Action, MetadataChange, RemoteListing, SET_GROUP, StreamEntry};
use super::script_lines::{PathAccess, ScriptLines};
use super::script_text::STAGING;
use crate::file_backend::script::text::touch_time;
use crate::transfer::job::{Job, NEW_DIRECTORY_MODE, Tree, TreeMode};

/// The mode bits required to add and remove entries of a directory.
const OWNER_ACCESS: u32 = 0o700;

/// The steps after a complete stream. Each group of paths becomes lines of a script.
#[derive(Debug, Default)]
pub(crate) struct RenamePlan {
    path_access: PathAccess,
    /// New directories that inherit the set-group-ID bit. Unpacking a stream would clear the bit.
    made: Vec<PathBuf>,
    /// New directories that must not have the set-group-ID bit of the temporary directory.
    without_set_group: Vec<PathBuf>,
    /// The new owners of received entries.
    owners: BTreeMap<(u32, u32), Vec<PathBuf>>,
    /// The set-ID bits of files. A change of the owner clears the bits.
    set_ids: BTreeMap<u32, Vec<PathBuf>>,
    /// The entries to move into each directory, with the number of files in each entry.
    into: BTreeMap<PathBuf, Vec<(PathBuf, usize)>>,
    /// The entries whose old entry is set aside first.
    replaced: HashSet<PathBuf>,
    /// The new modes of existing files.
    modes: BTreeMap<u32, Vec<PathBuf>>,
    opened: BTreeMap<u32, Vec<PathBuf>>,
    times: BTreeMap<i64, Vec<PathBuf>>,
    foreign: Vec<PathBuf>,
    /// The final modes of directories, set last, since they may forbid writing.
    folder_modes: BTreeMap<u32, Vec<PathBuf>>,
    /// The original modes of directories made writable only during the renames.
    closed: BTreeMap<u32, Vec<PathBuf>>,
    /// The paths to remove.
    removed: Vec<PathBuf>,
}

impl RenamePlan {
    pub(crate) fn new(
        remote: &RemoteListing,
        tree: &Tree,
        actions: &[Action],
        new_folders: &BTreeSet<PathBuf>,
        removed: &[PathBuf],
    ) -> Self {
        let mut moves = Self { path_access: remote.path_access(), removed: removed.to_owned(), ..Self::default() };
        // A missing directory is moved as a whole, with all entries.
        let mut whole: BTreeMap<&Path, usize> = BTreeMap::new();
        for folder in new_folders {
            if folder.parent().is_none_or(|above| !new_folders.contains(above)) {
                whole.insert(folder, 0);
            }
        }
        for (job, action) in tree.jobs.iter().zip(actions) {
            let Some(below) = job.item.below.as_deref() else { continue };
            match action {
                Action::Keep | Action::Separate => {}
                Action::ChangeMetadata(change) => moves.add_change(job, below, change),
                Action::Stream(sent) => {
                    moves.add_attributes(job, below, sent, remote.inherits_group(below));
                    if sent.replaces {
                        moves.replaced.insert(below.to_owned());
                    }
                    let is_directory = job.is_directory();
                    let above = below.ancestors().find(|above| whole.contains_key(above));
                    match above.and_then(|above| whole.get_mut(above)) {
                        Some(files) => *files += usize::from(!is_directory),
                        None => {
                            let folder = below.parent().unwrap_or(Path::new("")).to_owned();
                            moves.into.entry(folder).or_default().push((below.to_owned(), 1));
                        }
                    }
                }
            }
        }
        for (folder, files) in whole {
            let above = folder.parent().unwrap_or(Path::new("")).to_owned();
            moves.into.entry(above).or_default().push((folder.to_owned(), files));
        }
        if remote.root_sets_group() {
            (moves.made, moves.without_set_group) =
                new_folders.iter().cloned().partition(|folder| remote.inherits_group(folder));
        }
        moves.open_directories(remote, tree);
        moves
    }

    /// Makes read-only directories writable during the renames and removals. Root can write without
    /// this step.
    fn open_directories(&mut self, remote: &RemoteListing, tree: &Tree) {
        const WRITTEN: u32 = 0o300;
        if remote.me().0 == 0 || matches!(tree.mode, TreeMode::Put) {
            return;
        }
        let above = |path: &PathBuf| path.parent().unwrap_or(Path::new("")).to_owned();
        let directories: BTreeSet<_> = self.into.keys().cloned().chain(self.removed.iter().map(above)).collect();
        let is_altered: HashSet<_> = self.opened.values().flatten().cloned().collect();
        for folder in directories {
            let Some(there) = remote.at(&folder).filter(|there| there.is_directory()) else { continue };
            if there.mode() & WRITTEN != WRITTEN && !is_altered.contains(&folder) {
                self.opened.entry(there.mode() | OWNER_ACCESS).or_default().push(folder.clone());
                self.closed.entry(there.mode()).or_default().push(folder);
            }
        }
    }

    fn add_change(&mut self, job: &Job, below: &Path, change: &MetadataChange) {
        let MetadataChange { mode, owner, modified } = change;
        if *owner {
            self.foreign.push(below.to_owned());
        }
        if let Some(mode) = mode {
            if job.is_directory() {
                self.opened.entry(mode | OWNER_ACCESS).or_default().push(below.to_owned());
                if mode & OWNER_ACCESS != OWNER_ACCESS {
                    self.folder_modes.entry(*mode).or_default().push(below.to_owned());
                }
            } else {
                self.modes.entry(*mode).or_default().push(below.to_owned());
            }
        }
        if let Some(modified) = modified {
            self.times.entry(*modified).or_default().push(below.to_owned());
        }
    }

    /// Records the attributes that the stream does not set for a received entry.
    fn add_attributes(&mut self, job: &Job, below: &Path, sent: &StreamEntry, inherits_group: bool) {
        const SET_IDS: u32 = 0o6000;
        let StreamEntry { mode, owner, .. } = sent;
        if let Some(owner) = owner {
            self.owners.entry(*owner).or_default().push(below.to_owned());
        }
        let gets_owner = owner.is_some() || job.attributes.gives_owner();
        if job.is_directory() {
            // A directory without write permission could not be moved.
            if *mode != NEW_DIRECTORY_MODE {
                // Some `chmod` programs clear the set-group-ID bit if the mode omits the bit.
                let mode = &if inherits_group { mode | SET_GROUP } else { *mode };
                self.folder_modes.entry(*mode).or_default().push(below.to_owned());
            }
        } else if mode & SET_IDS != 0 && gets_owner {
            self.set_ids.entry(*mode).or_default().push(below.to_owned());
        }
    }

    /// Returns true if the script creates a directory, so that the stream must not contain the
    /// directory.
    pub(crate) fn makes(&self, folder: &PathBuf) -> bool {
        self.made.contains(folder)
    }

    /// Returns true if the plan has no steps.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { into, modes, opened, times, foreign, removed, .. } = self;
        let no_modes = modes.is_empty() && opened.is_empty();
        into.is_empty() && no_modes && times.is_empty() && foreign.is_empty() && removed.is_empty()
    }

    /// Returns the script to run after all renames.
    pub(crate) fn after_renames_script(&self) -> Vec<u8> {
        let mut lines = ScriptLines::new(self.path_access, STAGING);
        lines.placed("remove", &self.removed, " || exit 1");
        for (mode, paths) in &self.folder_modes {
            // Subdirectories first: the new mode of a parent may make them unreachable.
            lines.directories(&format!("chmod {mode:o}"), paths.iter().rev().cloned(), " || exit 1");
        }
        lines.into_text()
    }

    /// Returns the clean-up script, to run after success and after a failure.
    pub(crate) fn cleanup_script(&self) -> Vec<u8> {
        let mut lines = ScriptLines::new(self.path_access, STAGING);
        for (mode, paths) in &self.closed {
            lines.directories(&format!("chmod {mode:o}"), paths.iter().rev().cloned(), "");
        }
        lines.into_text()
    }

    /// Returns the script of the renames, to run in the temporary directory after a complete
    /// stream.
    pub(crate) fn rename_script(&self, owner: Option<&str>) -> Vec<u8> {
        let mut lines = ScriptLines::new(self.path_access, STAGING);
        lines.staged("mkdir -p --", &self.made, " || exit 1");
        lines.staged("chmod g-s", &self.without_set_group, " || exit 1");
        for ((user, group), paths) in &self.owners {
            // Only root can set every owner. A failure is ignored.
            lines.staged(&format!("chown -h {user}:{group}"), paths, " 2>/dev/null || :");
        }
        for (mode, paths) in &self.set_ids {
            lines.staged(&format!("chmod {mode:o}"), paths, " || exit 1");
        }
        if let Some(owner) = owner {
            lines.placed(&format!("chown -h {owner}"), &self.foreign, " || exit 1");
        }
        for (mode, paths) in &self.opened {
            lines.directories(&format!("chmod {mode:o}"), paths.iter().cloned(), " || exit 1");
        }
        for (mode, paths) in &self.modes {
            lines.placed(&format!("chmod {mode:o}"), paths, " || exit 1");
        }
        for (modified, paths) in &self.times {
            let time = touch_time(*modified);
            lines.placed(&format!("env TZ=UTC0 touch -h -t {time}"), paths, " || exit 1");
        }
        for (folder, names) in &self.into {
            lines.moves(names, folder, |path| self.replaced.contains(path));
        }
        lines.into_text()
    }
}
