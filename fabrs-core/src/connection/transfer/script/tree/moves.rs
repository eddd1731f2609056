//! What is done on the host with all that has come, as scripts.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::super::job::{Job, Manner, Tree};
use super::super::text::touch_time;
use super::plan::{Altered, Fate, NEW_FOLDER, SET_GROUP, Sent, Survey};

/// The bits without which nothing comes into a folder or goes.
const OPEN: u32 = 0o700;

/// What is done with all that has come, as lines of a script in the order of its steps.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Folders that a stream would take the bit from which they get from the one above.
    made: Vec<PathBuf>,
    /// Folders that have that bit from the one in which they are on their way.
    given_nothing: Vec<PathBuf>,
    /// Who is to own what has come.
    owners: BTreeMap<(u32, u32), Vec<PathBuf>>,
    /// Bits that a change of the owner takes away.
    set_ids: BTreeMap<u32, Vec<PathBuf>>,
    /// The names that go into each folder, with how many files each is.
    into: BTreeMap<PathBuf, Vec<(PathBuf, usize)>>,
    /// Those of them for which something has to make room.
    replaced: HashSet<PathBuf>,
    modes: BTreeMap<u32, Vec<PathBuf>>,
    times: BTreeMap<i64, Vec<PathBuf>>,
    foreign: Vec<PathBuf>,
    /// The modes of folders, which may keep what comes and goes from doing so.
    folder_modes: BTreeMap<u32, Vec<PathBuf>>,
    /// The modes of folders that are opened and stay as they are.
    closed: BTreeMap<u32, Vec<PathBuf>>,
    /// What is not here.
    removed: Vec<PathBuf>,
}

impl Moves {
    pub(super) fn new(
        survey: &Survey,
        tree: &Tree,
        fates: &[Fate],
        new_folders: &BTreeSet<PathBuf>,
        removed: &[PathBuf],
    ) -> Self {
        let mut moves = Self { removed: removed.to_owned(), ..Self::default() };
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
                Fate::Alter(altered) => moves.alter(job, below, altered),
                Fate::Send(sent) => {
                    moves.attribute(job, below, sent, survey.gets_group(below));
                    if sent.replaces {
                        moves.replaced.insert(below.to_owned());
                    }
                    let is_folder = job.is_folder();
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
        if survey.root_gives_group() {
            (moves.made, moves.given_nothing) =
                new_folders.iter().cloned().partition(|folder| survey.gets_group(folder));
        }
        moves.open(survey, tree);
        moves
    }

    /// Opens folders that stay as they are, and may not be written to, while something comes into them or goes; root needs
    /// none of that.
    fn open(&mut self, survey: &Survey, tree: &Tree) {
        const WRITTEN: u32 = 0o300;
        if survey.me().0 == 0 || matches!(tree.manner, Manner::Put) {
            return;
        }
        let above = |path: &PathBuf| path.parent().unwrap_or(Path::new("")).to_owned();
        let folders: BTreeSet<_> = self.into.keys().cloned().chain(self.removed.iter().map(above)).collect();
        let is_altered: HashSet<_> = self.modes.values().flatten().cloned().collect();
        for folder in folders {
            let Some(there) = survey.at(&folder).filter(|there| there.is_folder()) else { continue };
            if there.mode() & WRITTEN != WRITTEN && !is_altered.contains(&folder) {
                self.modes.entry(there.mode() | OPEN).or_default().push(folder.clone());
                self.closed.entry(there.mode()).or_default().push(folder);
            }
        }
    }

    fn alter(&mut self, job: &Job, below: &Path, altered: &Altered) {
        let Altered { mode, owner, modified } = altered;
        if *owner {
            self.foreign.push(below.to_owned());
        }
        if let Some(mode) = mode {
            let first = if job.is_folder() { mode | OPEN } else { *mode };
            self.modes.entry(first).or_default().push(below.to_owned());
            if first != *mode {
                self.folder_modes.entry(*mode).or_default().push(below.to_owned());
            }
        }
        if let Some(modified) = modified {
            self.times.entry(*modified).or_default().push(below.to_owned());
        }
    }

    /// Notes which attributes of what has come are not in the stream.
    fn attribute(&mut self, job: &Job, below: &Path, sent: &Sent, gets_group: bool) {
        const SET_IDS: u32 = 0o6000;
        let Sent { mode, owner, .. } = sent;
        if let Some(owner) = owner {
            self.owners.entry(*owner).or_default().push(below.to_owned());
        }
        let gets_owner = owner.is_some() || job.attributes.gives_owner();
        if job.is_folder() {
            // Where it can't be written to it could not be moved.
            if *mode != NEW_FOLDER {
                // Not every program leaves the bit where none is said.
                let mode = &if gets_group { mode | SET_GROUP } else { *mode };
                self.folder_modes.entry(*mode).or_default().push(below.to_owned());
            }
        } else if mode & SET_IDS != 0 && gets_owner {
            self.set_ids.entry(*mode).or_default().push(below.to_owned());
        }
    }

    /// Tells whether a folder is made by the script, and so is not in the stream.
    pub(super) fn makes(&self, folder: &PathBuf) -> bool {
        self.made.contains(folder)
    }

    /// Tells whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        let Self { into, modes, times, foreign, removed, .. } = self;
        into.is_empty() && modes.is_empty() && times.is_empty() && foreign.is_empty() && removed.is_empty()
    }

    /// Returns the script that is run when everything is in its place.
    pub(super) fn last(&self) -> Vec<u8> {
        let placed = |path: &PathBuf| Path::new("..").join(path);
        let mut script = Script::default();
        script.each("remove", self.removed.iter().map(placed), " || exit 1");
        for (mode, paths) in &self.folder_modes {
            // What is in a folder first, which can't be reached any more afterwards.
            script.each(&format!("chmod {mode:o}"), paths.iter().rev().map(placed), " || exit 1");
        }
        script.0
    }

    /// Returns the script that is run at the end, whatever came of the others.
    pub(super) fn close(&self) -> Vec<u8> {
        let mut script = Script::default();
        for (mode, paths) in &self.closed {
            script.each(&format!("chmod {mode:o}"), paths.iter().rev().map(|path| Path::new("..").join(path)), "");
        }
        script.0
    }

    /// Returns the script, which is run beside the tree that has come: `stage` is its name.
    pub(super) fn script(&self, stage: &str, owner: Option<&str>) -> Vec<u8> {
        let staged = |path: &PathBuf| Path::new(stage).join(path);
        let placed = |path: &PathBuf| Path::new("..").join(path);
        let mut script = Script::default();
        script.each("mkdir -p --", self.made.iter().map(staged), " || exit 1");
        script.each("chmod g-s", self.given_nothing.iter().map(staged), " || exit 1");
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
        for (modified, paths) in &self.times {
            let time = touch_time(*modified);
            script.each(&format!("TZ=UTC0 touch -h -t {time}"), paths.iter().map(placed), " || exit 1");
        }
        for (folder, names) in &self.into {
            let (replaced, others): (Vec<_>, Vec<_>) = names.iter().partition(|(path, _)| self.replaced.contains(path));
            let moved = |names: Vec<&(PathBuf, usize)>| {
                names.into_iter().map(|(path, files)| (staged(path), *files)).collect::<Vec<_>>()
            };
            for one in moved(replaced) {
                script.moves("replaced", std::iter::once(one), &placed(folder));
            }
            script.moves("moved", moved(others).into_iter(), &placed(folder));
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

    fn moves(&mut self, how: &str, names: impl Iterator<Item = (PathBuf, usize)>, folder: &Path) {
        let mut names = names.peekable();
        let (mut line, mut files) = (Vec::new(), 0);
        while let Some((name, count)) = names.next() {
            push_word(&mut line, name.as_os_str());
            files += count;
            if line.len() > LINE || names.peek().is_none() {
                self.0.extend_from_slice(format!("{how} {files}").as_bytes());
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
