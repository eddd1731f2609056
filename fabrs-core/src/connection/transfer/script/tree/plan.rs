//! What becomes of each entry of a tree: nothing, a change of its attributes, a place in the stream, or a put of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::super::job::{Job, Tree};
use super::super::super::walk::Content;
use super::super::super::{IS_A_FOLDER, IS_NO_FOLDER};
use super::listing::Status;

/// From here on a file is put by itself, so that it can be asked for, and sent, in its own way.
pub(super) const LARGE: u64 = 8 << 20;
/// The bit that gives new files the group of their folder.
const SET_GROUP: u32 = 0o2000;

/// What the host has said of the places of a tree.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By their paths below the root, as the other maps: their bytes are sooner looked up than their names.
    statuses: HashMap<OsString, Status>,
    pub(super) sums: HashMap<OsString, String>,
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
    Alter { mode: Option<u32>, owner: bool },
    /// It goes into the stream, with this mode, and gets this owner where that can be given.
    Send { mode: u32, owner: Option<(u32, u32)> },
    /// It is put by itself.
    Alone,
}

/// Tells of a name that what programs print of it can't be read back.
pub(super) fn is_odd(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| b"\n\r\\".contains(byte))
}

impl Fate {
    /// Returns what becomes of an entry where there is no stream to go into.
    pub(super) fn without_stream(&self) -> Self {
        if *self == Self::Same { Self::Same } else { Self::Alone }
    }
}

/// Something stands in the way, and nothing is put.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InTheWay(pub(super) String);

impl Survey {
    fn at(&self, below: &Path) -> Option<&Status> {
        self.statuses.get(below.as_os_str())
    }

    pub(super) fn new(me: (u32, u32), takes_stream: bool, statuses: Vec<(OsString, Status)>) -> Self {
        let statuses = statuses.into_iter().collect();
        let mut survey = Self { statuses, me, takes_stream, ..Self::default() };
        survey.find_detours();
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
    fn find_detours(&mut self) {
        let Some(root) = self.at(Path::new("")).cloned() else { return };
        let is_detour = |there: &Status| {
            let gives_another_group = there.mode() & SET_GROUP != 0 && there.owner.1 != root.owner.1;
            there.is_link() || there.is_folder() && (there.device != root.device || gives_another_group)
        };
        let detours = self.statuses.iter().filter(|(_, there)| is_detour(there)).map(|(path, _)| path.clone());
        self.detours = detours.collect();
    }

    fn is_plain(&self, below: &Path) -> bool {
        self.detours.is_empty() || !below.ancestors().skip(1).any(|folder| self.detours.contains(folder.as_os_str()))
    }

    /// Returns the files of which the content has to be compared.
    pub(super) fn alike<'a>(&'a self, tree: &'a Tree) -> impl Iterator<Item = (usize, &'a Path)> {
        tree.jobs.iter().enumerate().filter_map(|(n, job)| {
            let (below, file) = (job.item.below.as_deref()?, job.as_file()?);
            let there = self.at(below).filter(|there| there.is_file() && there.size == file.stamp.size)?;
            (!self.is_alone(job, below) && there.is_file()).then_some((n, below))
        })
    }

    /// Returns the symlinks that are there where one is to be.
    pub(super) fn links_there<'a>(&'a self, tree: &'a Tree) -> impl Iterator<Item = &'a Path> {
        tree.jobs.iter().filter(|job| matches!(job.item.content, Content::Link(_))).filter_map(|job| {
            let below = job.item.below.as_deref()?;
            self.at(below).filter(|there| there.is_link()).map(|_| below)
        })
    }

    /// Tells whether an entry is put by itself, whatever is there.
    fn is_alone(&self, job: &Job, below: &Path) -> bool {
        let by_content = match (&job.item.content, job.as_file()) {
            (_, Some(file)) => file.stamp.size >= LARGE || file.content.secret().is_some(),
            // The stream would say it in another way.
            (Content::Link(to), _) => to.components().collect::<PathBuf>().as_os_str() != to.as_os_str(),
            _ => false,
        };
        is_odd(below) || by_content || !self.is_plain(below)
    }

    /// Decides on all entries; `here` has the checksums of the files that are alike, by their place among the jobs.
    pub(super) fn fates(&self, tree: &Tree, here: &HashMap<usize, String>) -> Result<Vec<Fate>, InTheWay> {
        tree.jobs.iter().enumerate().map(|(n, job)| self.fate(tree, job, here.get(&n))).collect()
    }

    fn fate(&self, tree: &Tree, job: &Job, here: Option<&String>) -> Result<Fate, InTheWay> {
        let Some(below) = job.item.below.as_deref() else { return Ok(Fate::Alone) };
        let in_the_way = |why: &str| InTheWay(format!("{}/{}{why}", tree.root, below.display()));
        let there = self.at(below);
        match (&job.item.content, there) {
            (Content::Folder, None) if !self.is_alone(job, below) => Ok(Fate::Send { mode: NEW_FOLDER, owner: None }),
            (Content::Folder, None) => Ok(Fate::Alone),
            (Content::Folder, Some(there)) if there.is_folder() || there.is_link() => Ok(Fate::Same),
            (Content::Folder, Some(_)) => Err(in_the_way(IS_NO_FOLDER)),
            (_, Some(there)) if there.is_folder() => Err(in_the_way(IS_A_FOLDER)),
            _ if self.is_alone(job, below) => Ok(Fate::Alone),
            (Content::Link(to), there) => Ok(self.fate_of_link(job, below, to, there)),
            (Content::File(content), None) => {
                Ok(Fate::Send { mode: job.attributes.mode.unwrap_or(content.new_mode()), owner: None })
            }
            // What a symlink leads to is replaced, and not the symlink.
            (Content::File(_), Some(there)) if !there.is_file() => Ok(Fate::Alone),
            (Content::File(_), Some(there)) => Ok(match (here, self.sums.get(below.as_os_str())) {
                (Some(here), Some(sum)) if here == sum => self.altered(job, below, there),
                // It can't be compared there: when it has come, it can.
                (Some(_), None) => Fate::Alone,
                _ => Fate::Send { mode: job.attributes.mode.unwrap_or(there.mode()), owner: self.kept(job, there) },
            }),
        }
    }

    fn fate_of_link(&self, job: &Job, below: &Path, to: &Path, there: Option<&Status>) -> Fate {
        match there {
            Some(there) if self.links.get(below.as_os_str()).is_some_and(|link| link == to) => {
                self.altered(job, below, there)
            }
            Some(there) => Fate::Send { mode: 0o777, owner: self.kept(job, there) },
            None => Fate::Send { mode: 0o777, owner: None },
        }
    }

    /// Returns what becomes of an entry whose content is there.
    fn altered(&self, job: &Job, below: &Path, there: &Status) -> Fate {
        let mode = job.attributes.mode.filter(|mode| !there.is_link() && *mode != there.mode());
        let owner = self.foreign.contains(below.as_os_str());
        if mode.is_some() || owner { Fate::Alter { mode, owner } } else { Fate::Same }
    }

    /// Returns whom a file is to belong to as the one that it replaces does.
    fn kept(&self, job: &Job, there: &Status) -> Option<(u32, u32)> {
        let is_told = job.attributes.gives_owner();
        (!is_told && there.owner != self.me).then_some(there.owner)
    }
}

/// The mode of a folder that was not there.
const NEW_FOLDER: u32 = 0o755;

/// Returns the folders that are not there yet: those of the tree, and all above its entries.
pub(super) fn new_folders(survey: &Survey, tree: &Tree, fates: &[Fate]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for (job, fate) in tree.jobs.iter().zip(fates) {
        let (Some(below), Fate::Send { .. } | Fate::Alone) = (job.item.below.as_deref(), fate) else { continue };
        let is_folder = matches!(job.item.content, Content::Folder);
        for folder in below.ancestors().skip(usize::from(!is_folder)) {
            let is_new = survey.at(folder).is_none() && survey.is_plain(folder);
            if is_new && !folder.as_os_str().is_empty() {
                folders.insert(folder.to_owned());
            }
        }
    }
    folders
}

/// What is done with all that has come, as lines of a script in the order of its steps.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Who is to own what has come.
    owners: BTreeMap<(u32, u32), Vec<PathBuf>>,
    /// Bits that a change of the owner takes away.
    set_ids: BTreeMap<u32, Vec<PathBuf>>,
    /// The names that go into each folder, with how many files each is.
    into: BTreeMap<PathBuf, Vec<(PathBuf, usize)>>,
    modes: BTreeMap<u32, Vec<PathBuf>>,
    foreign: Vec<PathBuf>,
}

impl Moves {
    pub(super) fn new(tree: &Tree, fates: &[Fate], new_folders: &BTreeSet<PathBuf>) -> Self {
        const SET_IDS: u32 = 0o6000;
        let mut moves = Self::default();
        // A folder that is not there comes as a whole, with all in it.
        let mut whole: BTreeMap<&Path, usize> = BTreeMap::new();
        for folder in new_folders {
            if folder.parent().is_none_or(|above| !new_folders.contains(above)) {
                whole.insert(folder, 0);
            }
        }
        for (job, fate) in tree.jobs.iter().zip(fates) {
            let Some(below) = job.item.below.as_deref() else { continue };
            match fate {
                Fate::Same | Fate::Alone => {}
                Fate::Alter { mode, owner } => {
                    if *owner {
                        moves.foreign.push(below.to_owned());
                    }
                    if let Some(mode) = mode {
                        moves.modes.entry(*mode).or_default().push(below.to_owned());
                    }
                }
                Fate::Send { mode, owner } => {
                    let is_folder = matches!(job.item.content, Content::Folder);
                    if let Some(owner) = owner {
                        moves.owners.entry(*owner).or_default().push(below.to_owned());
                    }
                    let gets_owner = owner.is_some() || job.attributes.gives_owner();
                    if mode & SET_IDS != 0 && gets_owner && !is_folder {
                        moves.set_ids.entry(*mode).or_default().push(below.to_owned());
                    }
                    let above = below.ancestors().find(|above| whole.contains_key(above));
                    match above.and_then(|above| whole.get_mut(above)) {
                        Some(files) => *files += usize::from(!is_folder),
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
        moves
    }

    /// Tells whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.into.is_empty() && self.modes.is_empty() && self.foreign.is_empty()
    }

    /// Returns the script, which is run beside the tree that has come: `stage` is its name.
    pub(super) fn script(&self, stage: &str, owner: Option<&str>) -> Vec<u8> {
        let staged = |path: &PathBuf| Path::new(stage).join(path);
        let placed = |path: &PathBuf| Path::new("..").join(path);
        let mut script = Script::default();
        for ((user, group), paths) in &self.owners {
            // As far as whoever runs this may say so.
            script.each(&format!("chown -h {user}:{group}"), paths.iter().map(staged), " 2>/dev/null || :");
        }
        for (mode, paths) in &self.set_ids {
            script.each(&format!("chmod {mode:o}"), paths.iter().map(staged), " || exit 1");
        }
        if let Some(owner) = owner {
            script.each(&format!("chown -h {owner}"), self.foreign.iter().map(placed), " || exit 1");
        }
        for (mode, paths) in &self.modes {
            script.each(&format!("chmod {mode:o}"), paths.iter().map(placed), " || exit 1");
        }
        for (folder, names) in &self.into {
            script.moves(names.iter().map(|(path, files)| (staged(path), *files)), &placed(folder));
        }
        script.0
    }
}

/// Lines for a shell, each as long as one may be.
#[derive(Debug, Default)]
struct Script(Vec<u8>);

/// How many bytes of names are in one line: a program takes more, and so does a shell.
const LINE: usize = 64 << 10;

impl Script {
    fn each(&mut self, command: &str, paths: impl Iterator<Item = PathBuf>, end: &str) {
        let mut line = Vec::new();
        let mut paths = paths.peekable();
        while let Some(path) = paths.next() {
            push_word(&mut line, path.as_os_str());
            if line.len() > LINE || paths.peek().is_none() {
                self.0.extend_from_slice(command.as_bytes());
                self.0.append(&mut line);
                self.0.extend_from_slice(end.as_bytes());
                self.0.push(b'\n');
            }
        }
    }

    fn moves(&mut self, names: impl Iterator<Item = (PathBuf, usize)>, folder: &Path) {
        let mut names = names.peekable();
        let (mut line, mut files) = (Vec::new(), 0);
        while let Some((name, count)) = names.next() {
            push_word(&mut line, name.as_os_str());
            files += count;
            if line.len() > LINE || names.peek().is_none() {
                self.0.extend_from_slice(format!("moved {files}").as_bytes());
                self.0.append(&mut line);
                push_word(&mut self.0, folder.join("").as_os_str());
                self.0.push(b'\n');
                files = 0;
            }
        }
    }
}

fn push_word(line: &mut Vec<u8>, word: &OsStr) {
    line.push(b' ');
    match shlex::bytes::try_quote(word.as_bytes()) {
        Ok(word) => line.extend_from_slice(&word),
        // No path of a system has a NUL.
        Err(_) => line.extend_from_slice(b"''"),
    }
}
