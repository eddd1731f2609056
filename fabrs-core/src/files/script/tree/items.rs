//! What would become of a tree, a line for each entry that is another.
//!
//! The lines are those of `rsync --itemize-changes` (see its manual): `<f.st......`, `cd+++++++++`, `*deleting`.

use std::path::{Path, PathBuf};

use super::listing::Status;
use super::plan::{Fate, Survey};
use crate::files::job::{Job, Tree};
use crate::files::walk::ItemKind;

/// Returns the lines, in the order of the entries; what is removed is last.
pub(super) fn lines(survey: &Survey, tree: &Tree, fates: &[Fate], removals: &[PathBuf]) -> Vec<String> {
    let mut lines = Vec::new();
    for (job, fate) in tree.jobs.iter().zip(fates) {
        let Some(below) = job.item.below.as_deref() else { continue };
        if let Some(line) = line(job, below, survey.at(below), fate) {
            lines.push(line);
        }
    }
    let is_folder = |path: &Path| survey.at(path).is_some_and(Status::is_folder);
    lines.extend(
        removals.iter().map(|path| format!("*deleting   {}{}", path.display(), if is_folder(path) { "/" } else { "" })),
    );
    lines
}

fn line(job: &Job, below: &Path, there: Option<&Status>, fate: &Fate) -> Option<String> {
    let (kind, end) = match &job.item.content {
        ItemKind::Folder => ("cd", "/".to_owned()),
        ItemKind::Link(to) => ("cL", format!(" -> {}", to.display())),
        ItemKind::File(_) => ("<f", String::new()),
    };
    let signs = match (fate, there) {
        (Fate::Same, _) => return None,
        (Fate::Alter(altered), _) => {
            let kind = kind.replace(['<', 'c'], ".");
            let signs = signs([('t', altered.modified.is_some()), ('p', altered.mode.is_some()), ('o', altered.owner)]);
            return Some(format!("{kind}{signs} {}{end}", below.display()));
        }
        (Fate::Send(sent), Some(there)) if !sent.replaces => replaced(job, there, Some(sent.mode)),
        (Fate::Alone, Some(there)) if !there.is_link() => replaced(job, there, job.attributes.mode),
        (Fate::Send(_) | Fate::Alone, _) => "+".repeat(9),
    };
    Some(format!("{kind}{signs} {}{end}", below.display()))
}

/// Says what is another of a file that takes the place of one.
fn replaced(job: &Job, there: &Status, mode: Option<u32>) -> String {
    let is_larger = job.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.size != there.size);
    let is_later = job.attributes.modified.is_some_and(|modified| modified != there.modified);
    let has_mode = mode.is_some_and(|mode| there.is_file() && mode != there.mode());
    let is_told = is_larger || is_later || has_mode;
    // That the content is another is all that there is to say of some.
    signs([('c', !is_told), ('s', is_larger), ('t', is_later), ('p', has_mode)])
}

/// Returns the nine signs for what is another.
fn signs<const N: usize>(which: [(char, bool); N]) -> String {
    const ALL: &str = "cstpoguax";
    let is_set = |sign: &char| which.iter().any(|(other, is_set)| other == sign && *is_set);
    ALL.chars().map(|sign| if is_set(&sign) { sign } else { '.' }).collect()
}
