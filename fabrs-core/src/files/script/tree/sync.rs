//! What makes a tree of the host the equal of one here.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::listing::Status;
use super::plan::{Altered, Fate, LINK, Sent, Survey};
use crate::files::checksum::Sha256;
use crate::files::file_error::{IS_A_FOLDER, IS_NO_FOLDER};
use crate::files::job::{Job, NEW_DIRECTORY_MODE, SyncRules, Tree, TreeMode};
use crate::files::script::dialog_error::DialogError;
use crate::files::temp_name;
use crate::files::walk::ItemKind;

impl Survey {
    pub(super) fn fate_in_sync(
        &self,
        tree: &Tree,
        rules: &SyncRules,
        job: &Job,
        here: Option<Sha256>,
    ) -> Result<Fate, DialogError> {
        let Some(below) = job.item.below.as_deref() else { return Ok(Fate::Alone) };
        let there = self.at(below);
        let mode = job.attributes.mode.or_else(|| Some(job.as_file()?.new_mode()));
        let mode = mode.unwrap_or(if job.is_folder() { NEW_DIRECTORY_MODE } else { LINK });
        let Some(there) = there else {
            let is_alone = self.is_alone(job, below);
            return Ok(if is_alone { Fate::Alone } else { Fate::Send(self.made(job, below, mode)) });
        };
        let in_the_way = |why: &str| DialogError::InTheWay(format!("{}/{}{why}", tree.root, below.display()));
        let may_go = !there.is_folder() || rules.deletes && !self.keeps_any(rules, below);
        match (there.is_folder(), job.is_folder()) {
            (true, true) => Ok(self.changed(job, below, there, Altered { mode: Some(mode), ..Altered::default() })),
            (true, false) if !may_go || self.is_alone(job, below) => Err(in_the_way(IS_A_FOLDER)),
            (false, true) if self.is_alone(job, below) => Err(in_the_way(IS_NO_FOLDER)),
            (true, false) | (false, true) => Ok(Fate::Send(Sent { replaces: true, ..self.made(job, below, mode) })),
            (false, false) => Ok(self.fate_of_same_kind(rules, job, below, there, here)),
        }
    }

    /// Decides on a file or a symlink where one of both is.
    fn fate_of_same_kind(
        &self,
        rules: &SyncRules,
        job: &Job,
        below: &Path,
        there: &Status,
        here: Option<Sha256>,
    ) -> Fate {
        match (&job.item.content, job.as_file()) {
            (ItemKind::Link(to), _) if self.links.get(below.as_os_str()) == Some(to) => {
                self.changed(job, below, there, Altered::default())
            }
            (_, Some(file)) if there.is_file() && there.size == file.fingerprint.size => {
                let modified = job.attributes.modified.filter(|modified| *modified != there.modified);
                let is_same = match (here, self.sums.of(below)) {
                    (Some(here), Some(sum)) => here == sum,
                    _ => modified.is_none() && !rules.by_checksum,
                };
                if is_same {
                    self.changed(job, below, there, Altered { mode: job.attributes.mode, modified, owner: false })
                } else {
                    self.sent_or_alone(job, below, there)
                }
            }
            _ => self.sent_or_alone(job, below, there),
        }
    }

    fn sent_or_alone(&self, job: &Job, below: &Path, there: &Status) -> Fate {
        if self.is_alone(job, below) {
            return Fate::Alone;
        }
        Fate::Send(self.replaced(job, there, job.attributes.mode.unwrap_or(there.mode())))
    }

    /// Returns what has to go: what is there and not here, without what is kept, and what goes with that which is replaced; of
    /// a folder that goes as a whole only that.
    pub(super) fn removals(&self, tree: &Tree, fates: &[Fate]) -> Vec<PathBuf> {
        let TreeMode::Sync(rules) = &tree.mode else { return Vec::new() };
        if !rules.deletes {
            return Vec::new();
        }
        let replaced: Vec<_> = replaced(tree, fates).collect();
        let mut stays: HashSet<&OsStr> = HashSet::from([OsStr::new("")]);
        let wanted = tree.jobs.iter().filter_map(|job| job.item.below.as_deref());
        let kept = self.there().filter(|path| is_kept(rules, path));
        for path in wanted.chain(kept) {
            stays.extend(path.ancestors().map(Path::as_os_str));
        }
        let goes = |path: &Path| !stays.contains(path.as_os_str());
        let mut gone: Vec<_> = self
            .there()
            .filter(|path| goes(path) && path.parent().is_none_or(|folder| !goes(folder)))
            .filter(|path| !replaced.iter().any(|replaced| path.starts_with(replaced)))
            .map(Path::to_owned)
            .collect();
        gone.sort();
        gone
    }

    /// Returns the folders that go with all that is in them, since something else comes into their place.
    pub(super) fn replaced_folders(&self, tree: &Tree, fates: &[Fate]) -> Vec<PathBuf> {
        let is_folder = |path: &&Path| self.at(path).is_some_and(Status::is_folder);
        replaced(tree, fates).filter(is_folder).map(Path::to_owned).collect()
    }

    /// Tells whether anything in a folder is kept.
    fn keeps_any(&self, rules: &SyncRules, folder: &Path) -> bool {
        self.there().any(|path| path.starts_with(folder) && is_kept(rules, path))
    }
}

/// Returns what is there and has to make room, since no rename replaces it.
fn replaced<'a>(tree: &'a Tree, fates: &'a [Fate]) -> impl Iterator<Item = &'a Path> {
    let is_replaced = |fate: &Fate| matches!(fate, Fate::Send(sent) if sent.replaces);
    let replaced = tree.jobs.iter().zip(fates).filter(move |(_, fate)| is_replaced(fate));
    replaced.filter_map(|(job, _)| job.item.below.as_deref())
}

fn is_kept(rules: &SyncRules, path: &Path) -> bool {
    // That belongs to other transfers.
    let is_on_its_way = |name: &OsStr| name.to_str().is_some_and(temp_name::is_temp_name);
    rules.kept.cover(path) || path.iter().any(is_on_its_way)
}
