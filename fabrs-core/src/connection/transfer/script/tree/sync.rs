//! What makes a tree of the host the equal of one here.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::super::IS_A_FOLDER;
use super::super::super::job::{Job, Manner, Rules, Tree};
use super::super::super::walk::Content;
use super::super::broken::Broken;
use super::listing::Status;
use super::moves::Removals;
use super::plan::{Altered, Fate, LINK, NEW_FOLDER, Sent, Survey};

/// Begins the names of files on their way, which belong to other transfers.
const ON_THEIR_WAY: &str = ".fabrs.";

impl Survey {
    pub(super) fn fate_in_sync(
        &self,
        tree: &Tree,
        rules: &Rules,
        job: &Job,
        here: Option<&String>,
    ) -> Result<Fate, Broken> {
        let Some(below) = job.item.below.as_deref() else { return Ok(Fate::Alone) };
        let there = self.at(below);
        let mode = job.attributes.mode.unwrap_or(match &job.item.content {
            Content::Folder => NEW_FOLDER,
            Content::File(content) => content.new_mode(),
            Content::Link(_) => LINK,
        });
        let Some(there) = there else {
            return Ok(if self.is_alone(job, below) { Fate::Alone } else { Fate::Send(mode.into()) });
        };
        let may_go = !there.is_folder() || rules.deletes && !self.keeps_any(rules, below);
        match (there.is_folder(), job.is_folder()) {
            (true, true) => Ok(altered(there, Some(mode), None, self.foreign.contains(below.as_os_str()))),
            (true, false) if !may_go || self.is_alone(job, below) => {
                Err(Broken::InTheWay(format!("{}/{}{IS_A_FOLDER}", tree.root, below.display())))
            }
            (true, false) | (false, true) => Ok(Fate::Send(Sent { replaces: true, ..mode.into() })),
            (false, false) => Ok(self.fate_of_same_kind(rules, job, below, there, here)),
        }
    }

    /// Decides on a file or a symlink where one of both is.
    fn fate_of_same_kind(&self, rules: &Rules, job: &Job, below: &Path, there: &Status, here: Option<&String>) -> Fate {
        let owner = self.foreign.contains(below.as_os_str());
        match (&job.item.content, job.as_file()) {
            (Content::Link(to), _) if self.links.get(below.as_os_str()) == Some(to) => {
                altered(there, None, None, owner)
            }
            (_, Some(file)) if there.is_file() && there.size == file.stamp.size => {
                let modified = job.attributes.modified.filter(|modified| *modified != there.modified);
                let is_same = match (here, self.sums.get(below.as_os_str())) {
                    (Some(here), Some(sum)) => here == sum,
                    _ => modified.is_none() && !rules.by_checksum,
                };
                if is_same {
                    altered(there, job.attributes.mode, modified, owner)
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

    /// Returns what has to go: before the moves what stands in the way of one, and after them what is not here.
    pub(super) fn removals(&self, tree: &Tree, fates: &[Fate]) -> Removals {
        let mut removals = Removals::default();
        let Manner::Sync(rules) = &tree.manner else { return removals };
        for (job, fate) in tree.jobs.iter().zip(fates) {
            let Some(below) = job.item.below.as_deref() else { continue };
            let is_link = || self.at(below).is_some_and(Status::is_link);
            match fate {
                Fate::Send(sent) if sent.replaces => removals.first.push(below.to_owned()),
                // A put of its own would follow it.
                Fate::Alone if is_link() => removals.first.push(below.to_owned()),
                _ => {}
            }
        }
        if rules.deletes {
            removals.last = self.not_here(tree, rules, &removals.first);
        }
        removals
    }

    /// Returns what is there and not here, without what is kept; of a folder that goes as a whole only that.
    fn not_here(&self, tree: &Tree, rules: &Rules, replaced: &[PathBuf]) -> Vec<PathBuf> {
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

    /// Tells whether anything in a folder is kept.
    fn keeps_any(&self, rules: &Rules, folder: &Path) -> bool {
        self.there().any(|path| path.starts_with(folder) && is_kept(rules, path))
    }
}

fn is_kept(rules: &Rules, path: &Path) -> bool {
    let is_on_its_way = |name: &OsStr| name.to_string_lossy().starts_with(ON_THEIR_WAY);
    rules.kept.cover(path) || path.iter().any(is_on_its_way)
}

fn altered(there: &Status, mode: Option<u32>, modified: Option<i64>, owner: bool) -> Fate {
    let mode = mode.filter(|mode| !there.is_link() && *mode != there.mode());
    Fate::altered(Altered { mode, owner, modified })
}
