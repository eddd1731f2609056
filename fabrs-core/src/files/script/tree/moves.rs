//! What is done on the host with all that has come, as scripts.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::lines::{Lines, Reach};
use super::plan::{Altered, Fate, SET_GROUP, Sent, Survey};
use super::text::STAGE;
use crate::files::job::{Job, NEW_DIRECTORY_MODE, Tree, TreeMode};
use crate::files::script::text::touch_time;

/// The bits without which nothing comes into a folder or goes.
const OPEN: u32 = 0o700;

/// What is done with all that has come, as lines of a script in the order of its steps.
#[derive(Debug, Default)]
pub(super) struct Moves {
    reach: Reach,
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
    /// The modes of files, and of folders before anything comes into them.
    modes: BTreeMap<u32, Vec<PathBuf>>,
    opened: BTreeMap<u32, Vec<PathBuf>>,
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
        let mut moves = Self { reach: survey.reach(), removed: removed.to_owned(), ..Self::default() };
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
        if survey.me().0 == 0 || matches!(tree.mode, TreeMode::Put) {
            return;
        }
        let above = |path: &PathBuf| path.parent().unwrap_or(Path::new("")).to_owned();
        let folders: BTreeSet<_> = self.into.keys().cloned().chain(self.removed.iter().map(above)).collect();
        let is_altered: HashSet<_> = self.opened.values().flatten().cloned().collect();
        for folder in folders {
            let Some(there) = survey.at(&folder).filter(|there| there.is_folder()) else { continue };
            if there.mode() & WRITTEN != WRITTEN && !is_altered.contains(&folder) {
                self.opened.entry(there.mode() | OPEN).or_default().push(folder.clone());
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
            if job.is_folder() {
                self.opened.entry(mode | OPEN).or_default().push(below.to_owned());
                if mode & OPEN != OPEN {
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
            if *mode != NEW_DIRECTORY_MODE {
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
        let Self { into, modes, opened, times, foreign, removed, .. } = self;
        let no_modes = modes.is_empty() && opened.is_empty();
        into.is_empty() && no_modes && times.is_empty() && foreign.is_empty() && removed.is_empty()
    }

    /// Returns the script that is run when everything is in its place.
    pub(super) fn last(&self) -> Vec<u8> {
        let mut lines = Lines::new(self.reach, STAGE);
        lines.placed("remove", &self.removed, " || exit 1");
        for (mode, paths) in &self.folder_modes {
            // What is in a folder first, which can't be reached any more afterwards.
            lines.folders(&format!("chmod {mode:o}"), paths.iter().rev().cloned(), " || exit 1");
        }
        lines.into_text()
    }

    /// Returns the script that is run at the end, whatever came of the others.
    pub(super) fn close(&self) -> Vec<u8> {
        let mut lines = Lines::new(self.reach, STAGE);
        for (mode, paths) in &self.closed {
            lines.folders(&format!("chmod {mode:o}"), paths.iter().rev().cloned(), "");
        }
        lines.into_text()
    }

    /// Returns the script that is run when all has come, beside it.
    pub(super) fn script(&self, owner: Option<&str>) -> Vec<u8> {
        let mut lines = Lines::new(self.reach, STAGE);
        lines.staged("mkdir -p --", &self.made, " || exit 1");
        lines.staged("chmod g-s", &self.given_nothing, " || exit 1");
        for ((user, group), paths) in &self.owners {
            // As far as whoever runs this may say so.
            lines.staged(&format!("chown -h {user}:{group}"), paths, " 2>/dev/null || :");
        }
        for (mode, paths) in &self.set_ids {
            lines.staged(&format!("chmod {mode:o}"), paths, " || exit 1");
        }
        if let Some(owner) = owner {
            lines.placed(&format!("chown -h {owner}"), &self.foreign, " || exit 1");
        }
        for (mode, paths) in &self.opened {
            lines.folders(&format!("chmod {mode:o}"), paths.iter().cloned(), " || exit 1");
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
