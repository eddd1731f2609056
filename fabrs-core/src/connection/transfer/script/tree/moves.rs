//! What is done on the host with all that has come, as scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::super::job::{Job, Tree};
use super::super::text::touch_time;
use super::plan::{Altered, Fate, NEW_FOLDER, Sent};

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
    times: BTreeMap<i64, Vec<PathBuf>>,
    foreign: Vec<PathBuf>,
    /// The modes of folders that come as a whole.
    folder_modes: BTreeMap<u32, Vec<PathBuf>>,
    removals: Removals,
}

/// What is removed from a tree that becomes the equal of another.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// Before the moves: what no rename replaces.
    pub(super) first: Vec<PathBuf>,
    /// After them: what is not here.
    pub(super) last: Vec<PathBuf>,
}

impl Moves {
    pub(super) fn new(tree: &Tree, fates: &[Fate], new_folders: &BTreeSet<PathBuf>, removals: Removals) -> Self {
        let mut moves = Self { removals, ..Self::default() };
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
                Fate::Alter(altered) => moves.alter(below, altered),
                Fate::Send(sent) => {
                    moves.attribute(job, below, sent);
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
        moves
    }

    fn alter(&mut self, below: &Path, altered: &Altered) {
        let Altered { mode, owner, modified } = altered;
        if *owner {
            self.foreign.push(below.to_owned());
        }
        if let Some(mode) = mode {
            self.modes.entry(*mode).or_default().push(below.to_owned());
        }
        if let Some(modified) = modified {
            self.times.entry(*modified).or_default().push(below.to_owned());
        }
    }

    /// Notes which attributes of what has come are not in the stream.
    fn attribute(&mut self, job: &Job, below: &Path, sent: &Sent) {
        const SET_IDS: u32 = 0o6000;
        let Sent { mode, owner, .. } = sent;
        if let Some(owner) = owner {
            self.owners.entry(*owner).or_default().push(below.to_owned());
        }
        let gets_owner = owner.is_some() || job.attributes.gives_owner();
        if job.is_folder() {
            // Where it can't be written to it could not be moved.
            if *mode != NEW_FOLDER {
                self.folder_modes.entry(*mode).or_default().push(below.to_owned());
            }
        } else if mode & SET_IDS != 0 && gets_owner {
            self.set_ids.entry(*mode).or_default().push(below.to_owned());
        }
    }

    /// Tells whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        let Self { into, modes, times, foreign, removals, .. } = self;
        let is_nothing_removed = removals.first.is_empty() && removals.last.is_empty();
        into.is_empty() && modes.is_empty() && times.is_empty() && foreign.is_empty() && is_nothing_removed
    }

    /// Returns the script that is run when everything is in its place.
    pub(super) fn last(&self) -> Vec<u8> {
        let placed = |path: &PathBuf| Path::new("..").join(path);
        let mut script = Script::default();
        for (mode, paths) in &self.folder_modes {
            script.each(&format!("chmod {mode:o}"), paths.iter().map(placed), " || exit 1");
        }
        script.each("rm -rf --", self.removals.last.iter().map(placed), " || exit 1");
        script.0
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
        for (modified, paths) in &self.times {
            let time = touch_time(*modified);
            script.each(&format!("TZ=UTC0 touch -h -t {time}"), paths.iter().map(placed), " || exit 1");
        }
        script.each("rm -rf --", self.removals.first.iter().map(placed), " || exit 1");
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
