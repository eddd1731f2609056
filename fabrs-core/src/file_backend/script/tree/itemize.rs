//! Itemized listing for `--diff`: a line per changed entry of a tree.
//!
//! The format is that of `rsync --itemize-changes` (see rsync(1)): `<f.st......`, `cd+++++++++`,
//! `*deleting`.

use std::path::{Path, PathBuf};

use super::action::{Action, RemoteListing};
use super::listing::RemoteMetadata;
use crate::transfer::job::{Job, Tree};
use crate::transfer::walk::ItemKind;

/// Returns the lines in the order of the entries. The removed paths are last.
pub(crate) fn lines(remote: &RemoteListing, tree: &Tree, actions: &[Action], removals: &[PathBuf]) -> Vec<String> {
    let mut lines = Vec::new();
    for (job, action) in tree.jobs.iter().zip(actions) {
        let Some(below) = job.item.below.as_deref() else { continue };
        if let Some(line) = line(job, below, remote.at(below), action) {
            lines.push(line);
        }
    }
    let is_directory = |path: &Path| remote.at(path).is_some_and(RemoteMetadata::is_directory);
    lines.extend(
        removals
            .iter()
            .map(|path| format!("*deleting   {}{}", path.display(), if is_directory(path) { "/" } else { "" })),
    );
    lines
}

fn line(job: &Job, below: &Path, there: Option<&RemoteMetadata>, action: &Action) -> Option<String> {
    let (kind, end) = match &job.item.content {
        ItemKind::Directory => ("cd", "/".to_owned()),
        ItemKind::Link(to) => ("cL", format!(" -> {}", to.display())),
        ItemKind::File(_) => ("<f", String::new()),
    };
    let signs = match (action, there) {
        (Action::Keep, _) => return None,
        (Action::ChangeMetadata(change), _) => {
            let kind = kind.replace(['<', 'c'], ".");
            let signs = signs([('t', change.modified.is_some()), ('p', change.mode.is_some()), ('o', change.owner)]);
            return Some(format!("{kind}{signs} {}{end}", below.display()));
        }
        (Action::Stream(sent), Some(there)) if !sent.replaces => replaced(job, there, Some(sent.mode)),
        (Action::Separate, Some(there)) if !there.is_link() => replaced(job, there, job.attributes.mode),
        (Action::Stream(_) | Action::Separate, _) => "+".repeat(9),
    };
    Some(format!("{kind}{signs} {}{end}", below.display()))
}

/// Returns the flags of a replaced file.
fn replaced(job: &Job, there: &RemoteMetadata, mode: Option<u32>) -> String {
    let has_other_size = job.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.size != there.size);
    let has_other_time = job.attributes.modified.is_some_and(|modified| modified != there.modified);
    let has_other_mode = mode.is_some_and(|mode| there.is_file() && mode != there.mode());
    let is_shown = has_other_size || has_other_time || has_other_mode;
    // `c` is set only if no other flag is set.
    signs([('c', !is_shown), ('s', has_other_size), ('t', has_other_time), ('p', has_other_mode)])
}

/// Returns the nine flag characters of a line.
fn signs<const N: usize>(which: [(char, bool); N]) -> String {
    const ALL: &str = "cstpoguax";
    let is_set = |sign: &char| which.iter().any(|(other, is_set)| other == sign && *is_set);
    ALL.chars().map(|sign| if is_set(&sign) { sign } else { '.' }).collect()
}
