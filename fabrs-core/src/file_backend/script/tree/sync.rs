//! Decides the actions and removals of a sync.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::action::{Action, MetadataChange, RemoteListing, SYMLINK_MODE, StreamEntry};
use super::listing::RemoteMetadata;
use crate::file_backend::script::dialog_error::DialogError;
use crate::transfer::checksum::Sha256;
use crate::transfer::file_error::{IS_A_DIRECTORY, IS_NOT_A_DIRECTORY};
use crate::transfer::job::{Job, NEW_DIRECTORY_MODE, SyncRules, Tree, TreeMode};
use crate::transfer::temp_name;
use crate::transfer::walk::ItemKind;

impl RemoteListing {
    pub(crate) fn action_in_sync(
        &self,
        tree: &Tree,
        rules: &SyncRules,
        job: &Job,
        here: Option<Sha256>,
    ) -> Result<Action, DialogError> {
        let Some(below) = job.item.below.as_deref() else { return Ok(Action::Separate) };
        let there = self.at(below);
        let mode = job.attributes.mode.or_else(|| Some(job.as_file()?.new_mode()));
        let mode = mode.unwrap_or(if job.is_directory() { NEW_DIRECTORY_MODE } else { SYMLINK_MODE });
        let Some(there) = there else {
            let is_separate = self.is_separate(job, below);
            return Ok(if is_separate { Action::Separate } else { Action::Stream(self.new_entry(job, below, mode)) });
        };
        let obstacle = |why: &str| DialogError::Obstacle(format!("{}/{}{why}", tree.root, below.display()));
        let may_be_removed = !there.is_directory() || rules.deletes && !self.keeps_any(rules, below);
        match (there.is_directory(), job.is_directory()) {
            (true, true) => Ok(self.metadata_change(
                job,
                below,
                there,
                MetadataChange { mode: Some(mode), ..MetadataChange::default() },
            )),
            (true, false) if !may_be_removed || self.is_separate(job, below) => Err(obstacle(IS_A_DIRECTORY)),
            (false, true) if self.is_separate(job, below) => Err(obstacle(IS_NOT_A_DIRECTORY)),
            (true, false) | (false, true) => {
                Ok(Action::Stream(StreamEntry { replaces: true, ..self.new_entry(job, below, mode) }))
            }
            (false, false) => Ok(self.action_for_same_kind(rules, job, below, there, here)),
        }
    }

    /// Decides the action if neither the local nor the remote entry is a directory.
    fn action_for_same_kind(
        &self,
        rules: &SyncRules,
        job: &Job,
        below: &Path,
        there: &RemoteMetadata,
        here: Option<Sha256>,
    ) -> Action {
        match (&job.item.content, job.as_file()) {
            (ItemKind::Link(to), _) if self.links.get(below.as_os_str()) == Some(to) => {
                self.metadata_change(job, below, there, MetadataChange::default())
            }
            (_, Some(file)) if there.is_file() && there.size == file.fingerprint.size => {
                let modified = job.attributes.modified.filter(|modified| *modified != there.modified);
                let is_same = match (here, self.sums.of(below)) {
                    (Some(here), Some(sum)) => here == sum,
                    _ => modified.is_none() && !rules.by_checksum,
                };
                if is_same {
                    self.metadata_change(
                        job,
                        below,
                        there,
                        MetadataChange { mode: job.attributes.mode, modified, owner: false },
                    )
                } else {
                    self.stream_or_separate(job, below, there)
                }
            }
            _ => self.stream_or_separate(job, below, there),
        }
    }

    fn stream_or_separate(&self, job: &Job, below: &Path, there: &RemoteMetadata) -> Action {
        if self.is_separate(job, below) {
            return Action::Separate;
        }
        Action::Stream(self.replacement(job, there, job.attributes.mode.unwrap_or(there.mode())))
    }

    /// Returns the paths to remove: those missing in the local directory, except kept paths. The
    /// entries of a removed or replaced directory are not listed separately.
    pub(crate) fn removals(&self, tree: &Tree, actions: &[Action]) -> Vec<PathBuf> {
        let TreeMode::Sync(rules) = &tree.mode else { return Vec::new() };
        if !rules.deletes {
            return Vec::new();
        }
        let replaced: Vec<_> = replaced(tree, actions).collect();
        let mut remaining: HashSet<&OsStr> = HashSet::from([OsStr::new("")]);
        let wanted = tree.jobs.iter().filter_map(|job| job.item.below.as_deref());
        let kept = self.remote_paths().filter(|path| is_kept(rules, path));
        for path in wanted.chain(kept) {
            remaining.extend(path.ancestors().map(Path::as_os_str));
        }
        let is_removed = |path: &Path| !remaining.contains(path.as_os_str());
        let mut removed: Vec<_> = self
            .remote_paths()
            .filter(|path| is_removed(path) && path.parent().is_none_or(|folder| !is_removed(folder)))
            .filter(|path| !replaced.iter().any(|replaced| path.starts_with(replaced)))
            .map(Path::to_owned)
            .collect();
        removed.sort();
        removed
    }

    /// Returns the directories removed with their entries and replaced by another entry.
    pub(crate) fn replaced_folders(&self, tree: &Tree, actions: &[Action]) -> Vec<PathBuf> {
        let is_directory = |path: &&Path| self.at(path).is_some_and(RemoteMetadata::is_directory);
        replaced(tree, actions).filter(is_directory).map(Path::to_owned).collect()
    }

    /// Returns true if the rules keep an entry of a directory.
    fn keeps_any(&self, rules: &SyncRules, folder: &Path) -> bool {
        self.remote_paths().any(|path| path.starts_with(folder) && is_kept(rules, path))
    }
}

/// Returns the existing entries not replaceable by a rename.
fn replaced<'a>(tree: &'a Tree, actions: &'a [Action]) -> impl Iterator<Item = &'a Path> {
    let is_replaced = |action: &Action| matches!(action, Action::Stream(sent) if sent.replaces);
    let replaced = tree.jobs.iter().zip(actions).filter(move |(_, action)| is_replaced(action));
    replaced.filter_map(|(job, _)| job.item.below.as_deref())
}

fn is_kept(rules: &SyncRules, path: &Path) -> bool {
    // Temporary files of other transfers are kept.
    let is_temporary = |name: &OsStr| name.to_str().is_some_and(temp_name::is_temp_name);
    rules.kept.cover(path) || path.iter().any(is_temporary)
}
