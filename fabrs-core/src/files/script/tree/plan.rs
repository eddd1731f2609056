//! What becomes of each entry of a tree: nothing, a change of its attributes, a place in the stream, or a put of its own.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::lines::Reach;
use super::listing::{Status, Sums};
use crate::files::checksum::Sha256;
use crate::files::file_error::{IS_A_FOLDER, IS_NO_FOLDER};
use crate::files::job::{Job, LARGE_FILE_SIZE, NEW_DIRECTORY_MODE, Tree, TreeMode};
use crate::files::script::dialog_error::DialogError;
use crate::files::walk::ItemKind;

/// The bit that gives new files the group of their folder.
pub(super) const SET_GROUP: u32 = 0o2000;
/// The bits that a folder keeps whatever mode it is given.
const SPECIAL: u32 = 0o7000;

/// What the host has said of the places of a tree.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By their paths below the root, as the other maps: their bytes are sooner looked up than their names.
    statuses: HashMap<OsString, Status>,
    pub(super) sums: Sums,
    pub(super) links: HashMap<OsString, PathBuf>,
    /// What belongs to others than it is to belong to.
    pub(super) foreign: HashSet<OsString>,
    /// What leads elsewhere.
    detours: HashSet<OsString>,
    /// As whom the script runs.
    me: (u32, u32),
    takes_stream: bool,
}

/// What becomes of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there, as it should be.
    Same,
    /// It is there, and has other attributes.
    Alter(Altered),
    /// It goes into the stream.
    Send(Sent),
    /// It is put by itself.
    Alone,
}

/// Tells of a name that what programs print of it can't be read back.
pub(super) fn is_odd(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| b"\n\r\\".contains(byte))
}

impl Fate {
    /// Tells whether the entry is written; `None` for one with a put of its own.
    pub(super) fn is_written(&self) -> Option<bool> {
        match self {
            Self::Same => Some(false),
            // Since when it is as it is changes nothing of it.
            Self::Alter(altered) => Some(altered.mode.is_some() || altered.owner),
            Self::Send(_) => Some(true),
            Self::Alone => None,
        }
    }

    /// Returns what becomes of an entry that is there but for this.
    pub(super) fn altered(altered: Altered) -> Self {
        if altered == Altered::default() { Self::Same } else { Self::Alter(altered) }
    }

    /// Returns what becomes of an entry where there is no stream to go into.
    pub(super) fn without_stream(&self) -> Self {
        if *self == Self::Same { Self::Same } else { Self::Alone }
    }
}

/// What is another of an entry that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Altered {
    pub(super) mode: Option<u32>,
    /// Whether it is to belong to others.
    pub(super) owner: bool,
    pub(super) modified: Option<i64>,
}

/// How an entry goes into the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) mode: u32,
    /// Whom it belongs to, where that can be given.
    pub(super) owner: Option<(u32, u32)>,
    /// Whether what is there has to be removed first, since no rename replaces it.
    pub(super) replaces: bool,
}

impl From<u32> for Sent {
    /// Makes it for what is not there, with this mode.
    fn from(mode: u32) -> Self {
        Self { mode, owner: None, replaces: false }
    }
}

impl Survey {
    pub(super) fn at(&self, below: &Path) -> Option<&Status> {
        self.statuses.get(below.as_os_str())
    }

    pub(super) fn new(mode: &TreeMode, me: (u32, u32), takes_stream: bool, statuses: Vec<(OsString, Status)>) -> Self {
        // Where names are told apart by line ends a name can pretend to be another, which must not lead out of the root.
        let is_below = |path: &OsString| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        let statuses = statuses.into_iter().filter(|(path, _)| is_below(path)).collect();
        let mut survey = Self { statuses, me, takes_stream, ..Self::default() };
        survey.find_detours(mode);
        survey
    }

    /// Tells whether the host can take a stream there.
    pub(super) fn takes_stream(&self) -> bool {
        self.takes_stream
    }

    pub(super) fn has_root(&self) -> bool {
        self.at(Path::new("")).is_some()
    }

    /// Returns the paths of all that is there, but the root.
    pub(super) fn there(&self) -> impl Iterator<Item = &Path> {
        self.statuses.keys().filter(|path| !path.is_empty()).map(Path::new)
    }

    /// Finds the places that are not reached through folders alone, all of one file system: only there a rename from
    /// beside the root is one step, and what is made there is as if it had been made in its folder.
    fn find_detours(&mut self, mode: &TreeMode) {
        let Some(root) = self.at(Path::new("")).cloned() else { return };
        let gives = |there: &Status| there.mode() & SET_GROUP != 0;
        let is_detour = |there: &Status| {
            // What is made beside the root gets the group of that.
            let gives_another_group = gives(there) && !(gives(&root) && there.owner.1 == root.owner.1);
            // Of equal trees none is reached through a symlink.
            let is_followed = there.is_link() && matches!(mode, TreeMode::Put);
            is_followed || there.is_folder() && (there.device != root.device || gives_another_group)
        };
        let detours = self.statuses.iter().filter(|(_, there)| is_detour(there)).map(|(path, _)| path.clone());
        self.detours = detours.collect();
    }

    /// Returns how an entry goes into the stream that is not there: with the group that it would have if it were made in its
    /// place.
    pub(super) fn made(&self, job: &Job, below: &Path, mode: u32) -> Sent {
        let is_given_another = self.root_gives_group() && !self.gets_group(below) && !job.attributes.gives_owner();
        Sent { mode, owner: is_given_another.then_some(self.me), replaces: false }
    }

    /// Tells whether what is on its way gets the group of the root.
    pub(super) fn root_gives_group(&self) -> bool {
        self.at(Path::new("")).is_some_and(|root| root.mode() & SET_GROUP != 0)
    }

    /// Tells whether what is made at a path gets the group of the folder above it, and a folder gives it on.
    pub(super) fn gets_group(&self, below: &Path) -> bool {
        let above = below.ancestors().skip(1).find_map(|folder| self.at(folder));
        above.is_some_and(|above| above.mode() & SET_GROUP != 0)
    }

    /// Returns how the places are reached: where root works in folders of others, from within.
    pub(super) fn reach(&self) -> Reach {
        let is_of_others = |there: &Status| there.is_folder() && there.owner.0 != 0;
        let among_others = self.me.0 == 0 && self.statuses.values().any(is_of_others);
        if among_others { Reach::Entered } else { Reach::Named }
    }

    /// Returns as whom the script runs.
    pub(super) fn me(&self) -> (u32, u32) {
        self.me
    }

    /// Tells whether somebody could put another file into the place of one that root changes.
    fn is_of_others(&self, below: &Path) -> bool {
        let folder = below.parent().and_then(|folder| self.at(folder));
        self.me.0 == 0 && folder.is_some_and(|folder| folder.owner.0 != 0)
    }

    fn is_plain(&self, below: &Path) -> bool {
        self.detours.is_empty() || !below.ancestors().skip(1).any(|folder| self.detours.contains(folder.as_os_str()))
    }

    /// Returns the files of which the content has to be compared.
    pub(super) fn alike<'a>(&self, tree: &'a Tree) -> impl Iterator<Item = (usize, &'a Path)> {
        tree.jobs.iter().enumerate().filter_map(|(n, job)| {
            let (below, file) = (job.item.below.as_deref()?, job.as_file()?);
            let there = self.at(below).filter(|there| there.is_file() && there.size == file.fingerprint.size)?;
            let is_known = match &tree.mode {
                TreeMode::Put => false,
                TreeMode::Sync(rules) => !rules.by_checksum && file.fingerprint.modified() == Some(there.modified),
            };
            (!is_known && !self.is_alone(job, below)).then_some((n, below))
        })
    }

    /// Returns the files that are replaced and have other names on the host.
    pub(super) fn parted<'a>(&self, tree: &'a Tree, fates: &[Fate]) -> Vec<&'a Path> {
        let replaced = tree.jobs.iter().zip(fates).filter(|(_, fate)| matches!(fate, Fate::Send(_)));
        let paths = replaced.filter_map(|(job, _)| job.item.below.as_deref());
        paths.filter(|below| self.at(below).is_some_and(|there| there.is_file() && there.names > 1)).collect()
    }

    /// Returns the symlinks that are there where one is to be.
    pub(super) fn links_there<'a>(&'a self, tree: &'a Tree) -> impl Iterator<Item = &'a Path> {
        tree.jobs.iter().filter(|job| matches!(job.item.content, ItemKind::Link(_))).filter_map(|job| {
            let below = job.item.below.as_deref()?;
            self.at(below).filter(|there| there.is_link()).map(|_| below)
        })
    }

    /// Tells whether an entry is put by itself, whatever is there.
    pub(super) fn is_alone(&self, job: &Job, below: &Path) -> bool {
        let by_content = match (&job.item.content, job.as_file()) {
            (_, Some(file)) => {
                file.fingerprint.size >= LARGE_FILE_SIZE
                    || file.content.secret().is_some()
                    || job.write_options.is_singular()
            }
            // The stream would say it in another way.
            (ItemKind::Link(to), _) => to.components().collect::<PathBuf>().as_os_str() != to.as_os_str(),
            _ => false,
        };
        is_odd(below) || by_content || !self.is_plain(below)
    }

    /// Decides on all entries; `here` has the checksums of the files that are alike, by their place among the jobs.
    pub(super) fn fates(&self, tree: &Tree, here: &HashMap<usize, Sha256>) -> Result<Vec<Fate>, DialogError> {
        let each = tree.jobs.iter().enumerate();
        match &tree.mode {
            TreeMode::Put => each.map(|(n, job)| self.fate(tree, job, here.get(&n).copied())).collect(),
            TreeMode::Sync(rules) => {
                each.map(|(n, job)| self.fate_in_sync(tree, rules, job, here.get(&n).copied())).collect()
            }
        }
    }

    fn fate(&self, tree: &Tree, job: &Job, here: Option<Sha256>) -> Result<Fate, DialogError> {
        let Some(below) = job.item.below.as_deref() else { return Ok(Fate::Alone) };
        let in_the_way = |why: &str| DialogError::InTheWay(format!("{}/{}{why}", tree.root, below.display()));
        let there = self.at(below);
        match (&job.item.content, there) {
            (ItemKind::Folder, None) if !self.is_alone(job, below) => {
                Ok(Fate::Send(self.made(job, below, NEW_DIRECTORY_MODE)))
            }
            (ItemKind::Folder, None) => Ok(Fate::Alone),
            (ItemKind::Folder, Some(there)) if there.is_folder() => Ok(Fate::Same),
            // Whether it leads to one is to be seen.
            (ItemKind::Folder, Some(there)) if there.is_link() => Ok(Fate::Alone),
            (ItemKind::Folder, Some(_)) => Err(in_the_way(IS_NO_FOLDER)),
            (_, Some(there)) if there.is_folder() => Err(in_the_way(IS_A_FOLDER)),
            _ if self.is_alone(job, below) => Ok(Fate::Alone),
            (ItemKind::Link(to), there) => Ok(self.fate_of_link(job, below, to, there)),
            (ItemKind::File(_), None) => {
                let mode = job.attributes.mode.or_else(|| Some(job.as_file()?.new_mode())).unwrap_or(LINK);
                Ok(Fate::Send(self.made(job, below, mode)))
            }
            // What a symlink leads to is replaced, and not the symlink.
            (ItemKind::File(_), Some(there)) if !there.is_file() => Ok(Fate::Alone),
            (ItemKind::File(_), Some(there)) => Ok(match (here, self.sums.of(below)) {
                (Some(here), Some(sum)) if here == sum => self.altered(job, below, there),
                // It can't be compared there: when it has come, it can.
                (Some(_), None) => Fate::Alone,
                _ => Fate::Send(self.replaced(job, there, job.attributes.mode.unwrap_or(there.mode()))),
            }),
        }
    }

    fn fate_of_link(&self, job: &Job, below: &Path, to: &Path, there: Option<&Status>) -> Fate {
        match there {
            Some(there) if self.links.get(below.as_os_str()).is_some_and(|link| link == to) => {
                self.altered(job, below, there)
            }
            Some(there) => Fate::Send(self.replaced(job, there, LINK)),
            None => Fate::Send(self.made(job, below, LINK)),
        }
    }

    /// Returns what becomes of an entry whose content is there.
    fn altered(&self, job: &Job, below: &Path, there: &Status) -> Fate {
        self.changed(job, below, there, Altered { mode: job.attributes.mode, ..Altered::default() })
    }

    /// Returns what becomes of an entry that is there with attributes that may be others.
    pub(super) fn changed(&self, job: &Job, below: &Path, there: &Status, wanted: Altered) -> Fate {
        let mode = wanted.mode.map(|mode| if there.is_folder() { mode | there.mode() & SPECIAL } else { mode });
        let mode = mode.filter(|mode| !there.is_link() && *mode != there.mode());
        match mode {
            Some(mode) if there.is_file() && self.is_of_others(below) => Fate::Send(self.replaced(job, there, mode)),
            mode => Fate::altered(Altered { mode, owner: self.foreign.contains(below.as_os_str()), ..wanted }),
        }
    }

    /// Returns how an entry goes into the stream that takes the place of another.
    pub(super) fn replaced(&self, job: &Job, there: &Status, mode: u32) -> Sent {
        Sent { mode, owner: self.kept(job, there), replaces: false }
    }

    /// Returns whom a file is to belong to as the one that it replaces does.
    fn kept(&self, job: &Job, there: &Status) -> Option<(u32, u32)> {
        let is_told = job.attributes.gives_owner();
        (!is_told && there.owner != self.me).then_some(there.owner)
    }
}

/// The mode that every symlink has.
pub(super) const LINK: u32 = 0o777;

/// Returns the folders that are not there yet: those of the tree, and all above its entries.
pub(super) fn new_folders(survey: &Survey, tree: &Tree, fates: &[Fate]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for (job, fate) in tree.jobs.iter().zip(fates) {
        let (Some(below), Fate::Send(_) | Fate::Alone) = (job.item.below.as_deref(), fate) else { continue };
        let is_folder = matches!(job.item.content, ItemKind::Folder);
        // One that is made by itself is told by that.
        let is_above = !is_folder || *fate == Fate::Alone;
        for folder in below.ancestors().skip(usize::from(is_above)) {
            let is_new = match (survey.at(folder), &tree.mode) {
                (None, _) => survey.is_plain(folder),
                (Some(there), TreeMode::Sync(_)) => !there.is_folder(),
                (Some(_), TreeMode::Put) => false,
            };
            if is_new && !folder.as_os_str().is_empty() {
                folders.insert(folder.to_owned());
            }
        }
    }
    folders
}
